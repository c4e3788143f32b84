"""A dashboard that asks for sign-in, and somebody hostile before its door or behind it."""

import contextlib
import re
import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psutil

from tests.support import hostile_web
from tests.support.dashboard_stack import Stack
from tests.support.hostile_web import Case

AT_ONCE = 24


@dataclass(frozen=True)
class Site:
    """The stack, and an operator's token for whoever got in."""

    stack: Stack
    token: str

    @property
    def port(self) -> int:
        """Return the dashboard's port."""
        return self.stack.dashboard.port

    @property
    def known(self) -> dict[str, str]:
        """Return the header that opens the door."""
        return {"Authorization": f"Bearer {self.token}"}

    def worker(self) -> psutil.Process:
        """Return the one worker."""
        (pid,) = self.stack.dashboard.children()
        return psutil.Process(pid)

    def opened(self, extensions: str = "") -> socket.socket:
        """Return a websocket of somebody who is signed in, on which nothing was said."""
        return hostile_web.opened(self.port, extensions=extensions, headers=self.known)

    def signed_in(self, cases: Iterable[Case]) -> Iterable[Case]:
        """Return requests as somebody sends them who is signed in."""
        shown = f"\r\nAuthorization: Bearer {self.token}\r\n".encode()
        for case in cases:
            yield Case(f"signed in: {case.name}", case.data.replace(b"\r\n", shown, 1))

    def before_the_door(self, cases: Iterable[Case]) -> Iterable[Case]:
        """Return what comes over a websocket as a stranger sends it: right behind the handshake."""
        asked = hostile_web.request(
            self.port, path=hostile_web.SOCKET_PATH, headers=hostile_web.UPGRADE
        )
        for case in cases:
            yield Case(f"stranger: {case.name}", asked + case.data)

    def answer_to(self, case: Case) -> bytes:
        """Send a case, wait until nothing comes any more, and return the first that came."""
        with contextlib.suppress(OSError):
            if case.upgrade:
                connection = self.opened()
            else:
                connection = socket.create_connection(("127.0.0.1", self.port), timeout=5)
            with connection:
                connection.settimeout(0.12)
                connection.sendall(case.data)
                # Closed too early the server would never see it: what was not read resets the line.
                return _read(connection)
        return b""

    def check(self, cases: Iterable[Case]) -> list[bytes]:
        """Send all cases, several at a time; no answer may be a failure of the server."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            sent = list(cases)
            answers = list(pool.map(self.answer_to, sent))
        bad = [
            (case.name, answer[:12])
            for case, answer in zip(sent, answers, strict=True)
            # 501 and 505 say that the request is of a kind that nobody serves.
            if re.match(rb"HTTP/1.[01] 5(?!01|05)", answer)
        ]
        assert not bad, "\n".join(map(str, bad[:30]))
        return answers


def is_closed(connection: socket.socket) -> bool:
    """Tell whether the other side has ended a connection."""
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != 1


def _read(connection: socket.socket) -> bytes:
    found = b""
    with contextlib.suppress(OSError):
        while part := connection.recv(65536):
            found = found or part
    return found
