"""Failover and the way back."""
