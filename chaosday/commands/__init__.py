"""The kernel's commands, one module each; each exposes a click command named ``command``."""
