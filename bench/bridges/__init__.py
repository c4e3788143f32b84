"""Bridges to compare with: small programs that read where the servers are from the environment."""
