"""How the data commands reach a database: its address, its session, and how long it may be waited for."""
