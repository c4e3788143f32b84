"""The page in a real browser: a flood on `#`, a million topics, and one message on an idle system.

python -m bench.pages [--parts flood,topics,idle] [--minutes 5]    # this part alone
"""

import argparse
from collections.abc import Callable
from typing import Final

import msgspec

from bench.flood import MINUTES, Flood, flood
from bench.million import Million, million
from bench.single import Single, single

PARTS: Final[dict[str, Callable[[], Flood | Million | Single]]] = {
    "flood": flood,
    "topics": million,
    "idle": single,
}


def main() -> None:
    """Measure what was asked for and print it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", default=",".join(PARTS), help="what to measure")
    parser.add_argument("--minutes", type=int, default=MINUTES, help="how long the flood lasts")
    given = parser.parse_args()
    for part in given.parts.split(","):
        found = flood(given.minutes) if part == "flood" else PARTS[part]()
        print(msgspec.json.format(msgspec.json.encode(found)).decode())


if __name__ == "__main__":
    main()
