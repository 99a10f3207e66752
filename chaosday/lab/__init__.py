"""Real systems that chaosday starts for itself: the demo and the tests aim at these."""
