"""What is told of runs, to whom: by a process of its own, after the runs, so that no receiver ever holds one up."""
