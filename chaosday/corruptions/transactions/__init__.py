"""Damage to the record of transactions: the anomalies that isolation levels are named by."""
