"""What people see: the Prefect UI, reports and pages, in a real browser."""
