"""What an operator does to a cluster that Patroni keeps available."""
