"""Redis, seen from each side: what the bridge writes and what the dashboard reads."""
