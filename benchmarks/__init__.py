"""What the engine costs, in time and in money. Never a test: see docs/benchmarks.md."""
