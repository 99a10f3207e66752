"""Whether a run may begin and go on: halt switch, guardrails, fences, guards, approval, selection.

Any room from ``running`` upwards may import it.
"""
