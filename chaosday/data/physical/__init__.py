"""Are the bytes on disk sound? Real tools and formats asked, their words kept as observations.

The checks of the same names judge what is collected here; nothing here decides anything.
"""
