"""Systems that workloads ask through their own protocols."""
