"""Lake tables, Delta and Iceberg, as their own libraries open them: one snapshot, its files, its rows."""
