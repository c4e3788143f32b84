class ConnectionClosed(Exception): ...  # noqa: N818
