"""Shells, tools, processes and containers of a host: what every fault on one needs."""
