"""What Kubernetes targets and faults share: requests as data, permissions, leases in the cluster, helper pods."""
