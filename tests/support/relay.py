"""A TCP relay in front of a server: counts connections, slows them down, cuts them."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import Self


class Relay:
    """Listens on a free loopback port and passes on what comes, until `cut` or the end.

    ``slow_to`` bounds the bytes a second towards the server, of all connections together; ``shut``
    ends new connections at once; who sends the bytes ``mute`` gets no answer any more.
    """

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._all: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._slow = threading.Lock()
        self.connections = 0
        self.slow_to: int | None = None
        self.shut = False
        self.mute: bytes | None = None
        self._muted: set[socket.socket] = set()
        self.port = int(self._listener.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_details: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(5)
        for one in self._all:
            one.close()

    def cut(self) -> None:
        """End all connections at once; new ones are accepted."""
        with self._lock:
            ended, self._open = self._open, []
        for one in ended:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.shut:
                    client.close()
                    continue
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
                server = socket.create_connection(("127.0.0.1", self._target_port), 5)
                server.settimeout(None)
                with self._lock:
                    self._open += [client, server]
                    self._all += [client, server]
                    self.connections += 1
                self._start(self._send, client, server)
                self._start(self._answer, server, client)

    def _send(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 12 if self.slow_to else 1 << 16):
                if rate := self.slow_to:
                    with self._slow:
                        time.sleep(len(data) / rate)
                if self.mute is not None and self.mute in data:
                    self._muted.add(target)
                target.sendall(data)
        self._end(source, target)

    def _answer(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if source not in self._muted:
                    target.sendall(data)
        self._end(source, target)

    def _end(self, source: socket.socket, target: socket.socket) -> None:
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _start(self, work: Callable[..., None], *details: socket.socket) -> None:
        thread = threading.Thread(target=work, args=details)
        self._threads.append(thread)
        thread.start()
