"""The far end: one process that follows where a bridge writes, the same for every contestant.

While a run lasts it only receives large pieces and counts the run's mark in them. Afterwards it
reads every sequence number out of what it kept: so losses and copies are exact, whatever else was
published meanwhile, and telling them apart costs nothing while the clock runs::

    python -m bench.counting KIND PORT NAME    # prints "ready", then one answer per request
"""

import re
import sys
import threading
import time
from collections.abc import Iterator
from typing import Final

import msgspec

from bench import sources
from bench.load import Sent

QUIET_S: Final = 4.0
QUIET_WHEN_ALL_S: Final = 0.3
LIMIT_S: Final = 150.0
POLL_S: Final = 0.02
DIGITS: Final = 9


class Request(msgspec.Struct, frozen=True):
    """``sent`` is None: a run begins. Else it is over for the sender: wait for the rest."""

    mark: str
    count: int = 0
    sent: Sent | None = None


class Count(msgspec.Struct, frozen=True):
    """What arrived of one run; times are of the monotonic clock, latencies in milliseconds."""

    received: int = 0
    copies: int = 0
    last_at: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    max_ms: float = 0.0


class Tally:
    """Keeps what was received and how often the present mark was in it."""

    def __init__(self) -> None:
        self.begin(b"~000:")

    def begin(self, mark: bytes) -> None:
        """Forget everything and look for another mark."""
        self.mark = mark
        self.count = 0
        self.changed_at = time.monotonic()
        self._rest = b""
        self._pieces: list[tuple[float, bytes]] = []

    def add(self, data: bytes) -> None:
        """Take one piece; called by the thread that receives."""
        now = time.monotonic()
        self._pieces.append((now, data))
        # A mark that was cut in two is found where its second half arrives.
        found = data.count(self.mark) + (self._rest + data[:4]).count(self.mark)
        self._rest = (self._rest + data)[-4:] if len(data) < 4 else data[-4:]
        if found:
            self.count += found
            self.changed_at = now

    def numbers(self) -> Iterator[tuple[float, list[int]]]:
        """Yield the sequence numbers of each piece with the time it was received."""
        pattern, rest = re.compile(re.escape(self.mark) + rb"(\d{%d})" % DIGITS), b""
        for received_at, piece in self._pieces:
            data = rest + piece
            found = pattern.findall(data)
            cut = data.rfind(self.mark, -DIGITS - len(self.mark))
            whole = cut >= 0 and len(data) - cut >= DIGITS + len(self.mark)
            tail = len(self.mark) - 1 if whole or cut < 0 else len(data) - cut
            rest = data[-tail:]
            yield received_at, [int(number) for number in found]


def judge(tally: Tally, count: int, sent: Sent) -> Count:
    """Read every number: how many of the sent ones are there, how often, and how late."""
    seen = bytearray(count)
    sent_at = _times(sent, count)
    copies, last_at, delays = 0, 0.0, []
    for received_at, numbers in tally.numbers():
        for number in numbers:
            if number >= count:
                continue
            if seen[number]:
                copies += 1
                continue
            seen[number] = 1
            last_at = received_at
            delays.append(received_at - sent_at[number])
    delays.sort()
    if not delays:
        return Count()
    p50, p99, worst = (delays[int((len(delays) - 1) * part)] * 1000 for part in (0.5, 0.99, 1))
    return Count(len(delays), copies, last_at, p50, p99, worst)


def _times(sent: Sent, count: int) -> list[float]:
    times: list[float] = []
    ends = [first for first, _at in sent.pieces[1:]] + [count]
    for (first, at), end in zip(sent.pieces, ends, strict=True):
        times += [at] * (end - first)
    return times


def wait_for_rest(tally: Tally, count: int) -> None:
    """Return when everything has arrived, or when nothing more comes."""
    give_up = time.monotonic() + LIMIT_S
    began = time.monotonic()
    while (now := time.monotonic()) < give_up:
        quiet = now - max(tally.changed_at, began - QUIET_WHEN_ALL_S)
        if quiet > (QUIET_WHEN_ALL_S if tally.count >= count else QUIET_S):
            return
        time.sleep(POLL_S)


def main() -> None:
    """Follow one source and answer requests until the input ends."""
    kind, port, name = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    tally = Tally()
    source = sources.open_source(kind, port, name)
    threading.Thread(target=sources.pump, args=(source, tally.add), daemon=True).start()
    print("ready", flush=True)
    for line in sys.stdin:
        request = msgspec.json.decode(line, type=Request)
        if request.sent is None:
            tally.begin(request.mark.encode())
            answer = Count()
        else:
            wait_for_rest(tally, request.count)
            answer = judge(tally, request.count, request.sent)
            tally.begin(b"~none")
        print(msgspec.json.encode(answer).decode(), flush=True)


if __name__ == "__main__":
    main()
