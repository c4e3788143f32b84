"""Sign-in, roles and topic policy of the dashboard."""
