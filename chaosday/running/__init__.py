"""The one engine: a run from permission to verdict, whatever its kind.

``drills`` and ``commands`` import it.
"""
