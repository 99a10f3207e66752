"""Game days: people practise on real faults whose identity is sealed, and what they learn is kept."""
