"""Failover and the way back: leave, verify, return, verify."""
