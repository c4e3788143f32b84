"""One bar chart as SVG, written by hand: readable on light and on dark pages."""

from html import escape
from typing import Final

from bench.contestants import ALL, NAIVE, OURS
from bench.figures import Figures, Medians
from bench.plan import MAIN

WIDTH: Final = 860
LEFT: Final = 230
RIGHT: Final = 150
TOP: Final = 64
ROW: Final = 34
BAR: Final = 20

_STYLE: Final = """
  text { font: 14px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2733; }
  .title { font-size: 17px; font-weight: 600; }
  .soft { fill: #5a6675; }
  .bold { font-weight: 600; }
  .bar { fill: #8fa1b8; }
  .ours { fill: #0f8a6d; }
  .limit { fill: none; stroke: #8fa1b8; stroke-dasharray: 4 3; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e8edf4; }
    .soft { fill: #a3b0c0; }
    .bar { fill: #64758c; }
    .ours { fill: #2fc49c; }
    .limit { stroke: #7f90a6; }
  }
"""


def draw(figures: Figures) -> str:
    """Return the picture of the main point; limits are outlines."""
    rows = [
        (name, found)
        for name, contestant in ALL.items()
        # What Redis takes alone is so much that all other bars would be short.
        if contestant.kind != "redis" and (found := figures.of("main", name, MAIN))
    ]
    rows.sort(key=lambda row: row[1].rate)
    most = max((found.rate for _name, found in rows), default=1.0)
    naive = figures.of("main", NAIVE, MAIN)
    height = TOP + ROW * len(rows) + 12
    box = f'viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="title"'
    about = f"QoS 0, {MAIN.size} bytes, {MAIN.topics:,} topics"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box}>',
        f"<style>{_STYLE}</style>",
        '<text id="title" class="title" x="16" y="28">Messages per second</text>',
        f'<text class="soft" x="16" y="50">{about}; dashed: limits, a socket only counts</text>',
    ]
    for index, (name, found) in enumerate(rows):
        lines += _bar(TOP + ROW * index, name, found, most, naive)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _bar(top: int, name: str, found: Medians, most: float, naive: Medians | None) -> list[str]:
    length = max((WIDTH - LEFT - RIGHT) * found.rate / most, 1)
    base = top + BAR - 5
    kind = "ours" if name == OURS else "bar" if ALL[name].kind == "bridge" else "limit"
    weight = ' class="bold"' if name == OURS else ""
    ratio = f" · {found.rate / naive.rate:.1f} x" if naive and naive.rate else ""
    lost = " · LOST SOME" if found.lost else ""
    value = f'{found.rate:,.0f}<tspan class="soft">{ratio}{lost}</tspan>'
    return [
        f'<text x="{LEFT - 12}" y="{base}" text-anchor="end"{weight}>{escape(name)}</text>',
        f'<rect class="{kind}" x="{LEFT}" y="{top}" width="{length:.1f}" height="{BAR}" rx="3"/>',
        f'<text x="{LEFT + length + 10:.1f}" y="{base}"{weight}>{value}</text>',
    ]
