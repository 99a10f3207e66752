"""Commands of the kernel: one module each, exposing a click command named ``command``."""
