"""Many runs together."""
