"""What corruptions share: how damage is planted in tables, files, histories, objects and pages.

Only ``corruptions`` needs it.
"""
