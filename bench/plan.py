"""What `make bench` measures: blocks, each of which is one session of one contestant."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal

import msgspec

from bench.contestants import ALL, MQ_BRIDGE, NAIVE, NAPPING, NODE, OURS, RAW, Contestant
from bench.load import Load

Part = Literal["main", "nodelay", "matrix", "latency", "idle", "viewers", "page"]
PARTS: Final[tuple[Part, ...]] = (
    "main",
    "nodelay",
    "matrix",
    "latency",
    "idle",
    "viewers",
    "page",
)

QOS: Final = (0, 1)
SIZES: Final = (64, 100, 1024, 16_384)
TOPICS: Final = (1, 1000, 100_000)
MAIN: Final = Load(count=0, topics=1000, size=100)

# Who is measured once more with a broker that sends each packet at once.
NODELAY: Final = (NODE, MQ_BRIDGE, OURS, RAW, NAPPING)
# Who is measured at every size and number of topics, and at steady rates.
MATRIX: Final = (NAIVE, NODE, OURS)
PACED: Final = (NAIVE, NODE, OURS)
EASY_RATE: Final = 5_000
HARD_RATE: Final = 20_000

MAIN_S: Final = 2.0
MATRIX_S: Final = 1.2
EASY_S: Final = 3.0
# Long enough to fill what the kernel and the broker can hold.
HARD_S: Final = 6.0
WARM_UP_S: Final = 0.6
IDLE_S: Final = 6.0
MOST_BYTES: Final = 200_000_000


class Options(msgspec.Struct, frozen=True):
    """What was asked for on the command line."""

    qos: Sequence[int] = QOS
    sizes: Sequence[int] = SIZES
    topics: Sequence[int] = TOPICS
    rounds: int = 3
    only: Sequence[str] = tuple(ALL)
    parts: Sequence[str] = PARTS
    scale: float = 1.0
    everyone: bool = False


class Block(msgspec.Struct, frozen=True):
    """One session: a warm-up, then the loads in order.

    ``nodelay`` is the broker's `set_tcp_nodelay`, which mosquitto ships switched off.
    """

    part: str
    contestant: str
    qos: int
    loads: tuple[Load, ...]
    warm_up: Load
    roomy: bool = True
    nodelay: bool = False
    idle_s: float = 0.0


def blocks(options: Options, number: int) -> Iterator[Block]:
    """Return the blocks of one round."""
    chosen = [ALL[name] for name in options.only]
    if "main" in options.parts:
        yield from _main(options, chosen, idle=number == 0)
    if "nodelay" in options.parts:
        yield from _nodelay(options, chosen)
    if "matrix" in options.parts:
        yield from _matrix(options, chosen)
    if "latency" in options.parts:
        yield from _latency(options, chosen)


def _main(options: Options, chosen: Iterable[Contestant], *, idle: bool) -> Iterator[Block]:
    """Every contestant at the main point."""
    for contestant in chosen:
        for qos in options.qos:
            if qos not in contestant.pace:
                continue
            load = _sized(MAIN, contestant, qos, MAIN_S * options.scale)
            watched = contestant.kind == "bridge" and "idle" in options.parts and qos == 0
            yield Block(
                part="main",
                contestant=contestant.name,
                qos=qos,
                loads=(load,),
                warm_up=_sized(MAIN, contestant, qos, WARM_UP_S),
                idle_s=IDLE_S if watched and idle else 0.0,
            )


def _nodelay(options: Options, chosen: Iterable[Contestant]) -> Iterator[Block]:
    """Measure the main point once more, with a broker that sends each packet at once."""
    some = (contestant for contestant in chosen if contestant.name in NODELAY)
    for block in _main(options, some, idle=False):
        yield msgspec.structs.replace(block, part="nodelay", nodelay=True)


def _matrix(options: Options, chosen: Iterable[Contestant]) -> Iterator[Block]:
    """Every QoS, size and number of topics; a session of its own for each number of topics."""
    for contestant in chosen:
        if contestant.name not in MATRIX and not (options.everyone and contestant.kind == "bridge"):
            continue
        for qos in options.qos:
            for topics in options.topics:
                point = msgspec.structs.replace(MAIN, topics=topics)
                seconds = MATRIX_S * options.scale
                loads = [
                    _sized(msgspec.structs.replace(point, size=size), contestant, qos, seconds)
                    for size in options.sizes
                ]
                warm_up = _sized(point, contestant, qos, WARM_UP_S)
                yield Block("matrix", contestant.name, qos, tuple(loads), warm_up)


def _latency(options: Options, chosen: Iterable[Contestant]) -> Iterator[Block]:
    """Steady loads on servers with their default limits."""
    for contestant in chosen:
        if contestant.name not in PACED and not (options.everyone and contestant.kind == "bridge"):
            continue
        for qos in options.qos:
            point = msgspec.structs.replace(MAIN, qos=qos)
            loads = [
                msgspec.structs.replace(point, rate=rate, count=int(rate * seconds * options.scale))
                for rate, seconds in ((EASY_RATE, EASY_S), (HARD_RATE, HARD_S))
            ]
            warm_up = msgspec.structs.replace(point, rate=1000, count=1000)
            yield Block("latency", contestant.name, qos, tuple(loads), warm_up, roomy=False)


def _sized(load: Load, contestant: Contestant, qos: int, seconds: float) -> Load:
    wanted = int(contestant.pace[qos] * seconds)
    count = max(min(wanted, MOST_BYTES // load.size), 1000)
    return msgspec.structs.replace(load, qos=qos, count=count)
