"""Actions on disks."""
