from collections.abc import Callable
from typing import Any

import flask

import socketio

class SocketIO:
    server: socketio.Server
    async_mode: str
    def __init__(self, app: flask.Flask | None = None, **kwargs: Any) -> None: ...
    def on_event(
        self, message: str, handler: Callable[..., object], namespace: str | None = None
    ) -> None: ...
    def emit(self, event: str, *args: object, **kwargs: Any) -> None: ...

def disconnect(
    sid: str | None = None, namespace: str | None = None, silent: bool = False
) -> None: ...
