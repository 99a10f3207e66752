"""Many runs together: the catalogue of runs, what is covered and what is not.

Any room from ``running`` and ``reporting`` upwards may import it.
"""
