"""Advice on settings, against real servers in both of them."""
