from collections.abc import Callable, Sequence
from typing import Any, Protocol

class _Queue(Protocol):
    def qsize(self) -> int: ...

class _EngineSocket:
    queue: _Queue

class _Engine:
    sockets: dict[str, _EngineSocket]
    _async: dict[str, Any]

class _Manager:
    def eio_sid_from_sid(self, sid: str, namespace: str) -> str | None: ...
    def sid_from_eio_sid(self, eio_sid: str, namespace: str) -> str | None: ...

class Server:
    eio: _Engine
    manager: _Manager
    environ: dict[str, dict[str, Any]]
    def emit(
        self,
        event: str,
        data: object = None,
        to: str | Sequence[str] | None = None,
        namespace: str | None = None,
    ) -> None: ...

class Client:
    connected: bool
    sid: str | None
    eio: Any
    def __init__(self, reconnection: bool = True, logger: bool = False, **kwargs: Any) -> None: ...
    def on(self, event: str, handler: Callable[..., object] | None = None) -> Any: ...
    def connect(
        self,
        url: str,
        headers: dict[str, str] = ...,
        transports: list[str] | None = None,
        wait_timeout: float = 1,
        socketio_path: str = "socket.io",
    ) -> None: ...
    def emit(
        self, event: str, data: object = None, callback: Callable[..., object] | None = None
    ) -> None: ...
    def call(self, event: str, data: object = None, timeout: float = 60) -> Any: ...
    def disconnect(self) -> None: ...
    def _engineio_client_class(self) -> type[Any]: ...
    def get_sid(self, namespace: str | None = None) -> str: ...
