"""Detection drills: real damage in a scratch place, and who notices it."""
