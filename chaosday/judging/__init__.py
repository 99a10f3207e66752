"""From evidence to verdict: findings merged, damage planted to prove sight, sound and simulated evidence, judging again.

Any room from ``reporting`` and ``drills`` upwards may import it.
"""
