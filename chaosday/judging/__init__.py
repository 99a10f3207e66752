"""From evidence to verdict: findings, the proof of sight, sound and simulated evidence, judging again.

Any room from ``reporting`` and ``drills`` upwards may import it.
"""
