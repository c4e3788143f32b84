"""Figures a test has measured, for whoever runs it with ``-s``."""

import sys


def tell(line: str) -> None:
    """Write one line."""
    sys.stderr.write(f"\n{line}\n")


def percentile(values: list[float], share: float) -> float:
    """Return the value that so many of all do not exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]
