"""Actions of whoever writes the experiment: a command, a request, a statement, a function of one's own."""
