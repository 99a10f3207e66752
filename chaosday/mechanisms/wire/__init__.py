"""PostgreSQL's wire: what a client asks, when the server has answered, and a proxy that stops exactly there."""
