"""mqtt-dashboard: reads Redis only, serves the page, the HTTP interface and the live channel."""
