"""What an operator does to a Kubernetes cluster."""
