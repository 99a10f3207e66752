"""What a system's settings can lose, in words, and the experiment that would show it. Reads, and changes nothing."""
