"""The user-space TCP fault proxy: a process of its own between clients and servers, for which nobody needs root.

``client`` starts and commands one; ``server``, ``serving``, ``connection`` and ``toxics`` are its inside, and import
nothing but the standard library, so that it starts at once.
"""
