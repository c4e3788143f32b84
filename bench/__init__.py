"""Benchmarks: ours beside the naive plan, through a real broker, in one run, as ratios."""
