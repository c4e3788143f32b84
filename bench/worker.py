"""A child process of the benchmark that is talked to in lines: one request, one answer."""

import select
import subprocess
import sys
from types import TracebackType
from typing import Final, Self, TypeVar

import msgspec

from bench.installs import ROOT

T = TypeVar("T")

ANSWER_S: Final = 200.0


class WorkerError(Exception):
    """A helper process of the benchmark did not do its part."""


class Worker:
    """A Python module run as a process; a context manager that ends it."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._module = module
        self._command = [sys.executable, "-m", module, *arguments]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        self.pid = self._process.pid
        if (line := self._line()) != "ready":
            raise WorkerError(f"{self._module} is not ready: {line}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, request: object, answer: type[T]) -> T:
        """Send one request and return the answer."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(msgspec.json.encode(request).decode() + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise WorkerError(f"{self._module} has ended: {error}") from error
        return msgspec.json.decode(self._line(), type=answer)

    def _line(self) -> str:
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], ANSWER_S)
        line = self._process.stdout.readline() if ready else ""
        if not line:
            raise WorkerError(f"{self._module} did not answer")
        return line.strip()
