"""What people look at: pages made from a run directory, and from nothing else."""
