"""Sessions: how each system is asked, through its usual client library."""
