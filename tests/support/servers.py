"""Real mosquitto and Redis as own child processes on free loopback ports."""

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

import psutil
import redis

from tests.support import ports

T = TypeVar("T")
free_port = ports.free_port

# A busy machine may take long to load a program; a test of its own says how long it should.
START_S = 60.0

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)
# Started by root, mosquitto becomes another user, and the kernel forgets whose death to follow.
_STAY_ROOT = "user root\n" if os.geteuid() == 0 else ""


def wait_for(check: Callable[[], T], what: str, timeout: float = 10.0) -> T:
    """Poll until ``check`` returns something truthy; fail with ``what`` after ``timeout`` s."""
    deadline = time.monotonic() + timeout
    while True:
        result = check()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout:g} s: {what} (last: {result!r})")
        time.sleep(0.02)


def port_open(port: int) -> bool:
    """Tell whether something listens on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Child:
    """A child process that dies with the test run and whose output is kept in a file."""

    def __init__(self, command: list[str], log: Path, env: Mapping[str, str] | None = None) -> None:
        self.command = command
        self.log = log
        self.env = dict(env) if env is not None else None
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start the process; its output is appended to the log file."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=self.env,
                preexec_fn=lambda: _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL),  # noqa: PLW1509
            )
        return self

    @property
    def pid(self) -> int:
        """Process id of the running child."""
        assert self.process is not None
        return self.process.pid

    def alive(self) -> bool:
        """Tell whether the process runs."""
        return self.process is not None and self.process.poll() is None

    def freeze(self) -> None:
        """Stop the process and its workers without ending them, as a hung host would look."""
        for process in self._family():
            process.suspend()

    def thaw(self) -> None:
        """Let a frozen process and its workers go on."""
        for process in self._family():
            process.resume()

    def _family(self) -> list[psutil.Process]:
        parent = psutil.Process(self.pid)
        return [parent, *parent.children(recursive=True)]

    def terminate(self, timeout: float = 10.0) -> int:
        """Ask with SIGTERM and wait; return the exit status."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(timeout)

    def kill(self) -> None:
        """End the process at once (also when frozen) and reap it."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            self.process.wait(10)

    def output(self) -> str:
        """Everything the process has written."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""


class Broker(Child):
    """A mosquitto; ``extra`` are further lines of its configuration.

    ``nodelay`` makes it send each packet at once, so that tests need not wait; stock it does not.
    """

    def __init__(
        self, folder: Path, *, extra: str = "", anonymous: bool = True, nodelay: bool = True
    ) -> None:
        self.port = free_port()
        self.config = folder / f"mosquitto-{self.port}.conf"
        self.config.write_text(
            f"listener {self.port} 127.0.0.1\n"
            f"allow_anonymous {'true' if anonymous else 'false'}\n"
            "sys_interval 1\nlog_dest stderr\nlog_dest topic\nlog_type notice\nlog_type error\n"
            f"log_type warning\nlog_type subscribe\nlog_type unsubscribe\n"
            f"persistence false\nset_tcp_nodelay {str(nodelay).lower()}\n{_STAY_ROOT}{extra}\n"
        )
        binary = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        super().__init__([binary, "-c", str(self.config)], folder / f"mosquitto-{self.port}.log")

    def start(self) -> Self:
        """Start and wait until the port answers."""
        super().start()
        wait_for(lambda: port_open(self.port), "mosquitto listens", START_S)
        return self


class RedisServer(Child):
    """A Redis with no persistence, or with an append-only file in ``folder``."""

    def __init__(self, folder: Path, *, password: str | None = None, aof: bool = False) -> None:
        self.port = free_port()
        self.password = password
        home = folder / f"redis-{self.port}"
        home.mkdir()
        binary = shutil.which("redis-server")
        assert binary, "redis-server is missing; `make test` installs it"
        command = [binary, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(home)]
        command += ["--save", "", "--appendonly", "yes" if aof else "no"]
        if password:
            command += ["--requirepass", password]
        super().__init__(command, folder / f"redis-{self.port}.log")

    def start(self) -> Self:
        """Start and wait until it answers PING."""
        super().start()
        wait_for(self._answers, "redis answers", START_S)
        return self

    def client(self) -> Any:
        """Return a fresh redis-py client that decodes nothing; untyped, as its answers are."""
        return redis.Redis(port=self.port, password=self.password, socket_timeout=5)

    def _answers(self) -> bool:
        client = self.client()
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()


@contextlib.contextmanager
def running(*children: Child) -> Iterator[None]:
    """Start children in order and kill them in reverse, whatever happens."""
    started: list[Child] = []
    try:
        for child in children:
            started.append(child)
            child.start()
        yield
    finally:
        for child in reversed(started):
            child.kill()
