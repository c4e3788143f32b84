"""Keep the German words of what the server can say complete.

The services speak English, in their answers and in their logs; the page shows their sentences in
its own language. This collects every sentence of the source that may come to the page, with numbers
in place of what is filled in, and gives each a place in `TARGET`, empty until somebody writes the
German words. With --check it only tells which are missing, and which nobody says any more.
"""

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mqtt_dashboard import config

ROOT: Final = Path(__file__).parents[1]
SOURCE: Final = ROOT / "src" / "mqtt_dashboard"
TARGET: Final = ROOT / "frontend" / "src" / "locales" / "de" / "server.json"

SPEAKING: Final = ("about.py", "broker_url.py", "bridge", "bus", "contract", "dashboard", "mqtt")
# Written for the OpenAPI document, Prometheus, a terminal or the log, never for the page.
SILENT: Final = (
    "bridge/health.py",
    "bridge/loops.py",
    "bridge/main.py",
    "contract/command_routes.py",
    "contract/common_replies.py",
    "contract/export",
    "contract/topic_routes.py",
    "contract/typescript.py",
    "dashboard/auth/founding.py",
    "dashboard/auth/oidc",
    "dashboard/routes/health.py",
    "dashboard/upgrades.py",
    "mqtt/sys_dialects.py",
)
# Pieces of what others write, and headers.
NOT_SAID: Final = {
    "Bad socket ",
    "Basic {1}",
    "Expiring client ",
    "Invalid base64 encoded string",
    "New bridge ",
    "New c",
    "New client ",
    "New connection from ",
    "The user executing the script",
    'Bearer realm="MQTT Dashboard"',
    "already connected, closing old connection",
    "been disconnected by administrative action",
    "closed its connection",
    "disconnected due to ",
    "disconnected, not authorised",
    "has exceeded timeout, disconnecting",
    "dict[str, bool]",
    "field `",
}
WORDS: Final = re.compile(r"[A-Za-z]{2,}[,;:]? +[A-Za-z{(`$]")
NO_SENTENCE: Final = re.compile(
    r"\(\?|\\d|redis\.call|<!doctype|default-src|\n|^MEMORY |^attachment; |^public, |^\d{3} [A-Z]"
)
HOLE: Final = re.compile(r"\{\w*(?:![rsa])?(?::[^{}]*)?\}")
Said = dict[str, str]


def main() -> int:
    """Write the missing places, or tell what is missing."""
    said, known = collected(), json.loads(TARGET.read_text(encoding="utf-8"))
    writing = "--check" not in sys.argv[1:]
    if writing:
        words = {english: known.get(english, "") for english in sorted(said)}
        text = json.dumps(words, ensure_ascii=False, indent=2) + "\n"
        TARGET.write_text(text, encoding="utf-8")
        known = words
    wrong = problems(said, known)
    if wrong:
        print("\n".join(wrong))
    return 1 if wrong and not writing else 0


def problems(said: Said, known: Said) -> list[str]:
    """Return what keeps the page from being whole in German, one line each."""
    name = TARGET.relative_to(ROOT)
    found = [
        f"{place}: no German words for {english!r} in {name}; `make generate` makes their place"
        for english, place in sorted(said.items())
        if not known.get(english)
    ]
    found += [
        f"{name}: nobody says {english!r} any more; `make generate` removes it"
        for english in sorted(known.keys() - said.keys())
    ]
    found += [
        f"{name}: the numbers in {english!r} and in its German words differ"
        for english, german in sorted(known.items())
        if german and sorted(HOLE.findall(english)) != sorted(HOLE.findall(german))
    ]
    return found


def collected() -> Said:
    """Return every sentence the page may be given, and one place where it is said."""
    found: Said = {}
    for name in SPEAKING:
        path = SOURCE / name
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            place = file.relative_to(SOURCE).as_posix()
            if not place.startswith(SILENT):
                for text in sentences(ast.parse(file.read_text(encoding="utf-8"))):
                    found.setdefault(text, place)
    for kind in config.SETTINGS_CLASSES:
        for field in kind.model_fields.values():
            found.setdefault(field.description or "", f"setting {field.alias}")
    return found


def sentences(tree: ast.AST) -> Iterator[str]:
    """Yield the sentences of a module, each as long as the code writes it in one piece."""
    below = set(_parts_and_documentation(tree))
    for node in ast.walk(tree):
        text = None if id(node) in below else _text(node)
        if text is None or NO_SENTENCE.search(text):
            continue
        # What is put behind another sentence is one with that in front.
        numbered = _numbered(f"{{}}{text}" if text[:1] in {";", ","} else text)
        if WORDS.search(numbered) and numbered not in NOT_SAID:
            yield numbered


def _numbered(text: str) -> str:
    holes = iter(range(1, 100))
    return HOLE.sub(lambda _hole: f"{{{next(holes)}}}", text)


def _text(node: ast.AST) -> str | None:
    """Return a literal with ``{}`` where something is filled in; None for everything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or "{}" for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _text(node.left), _text(node.right)
        if left is not None or right is not None:
            return ("{}" if left is None else left) + ("{}" if right is None else right)
    return None


def _parts_and_documentation(tree: ast.AST) -> Iterator[int]:
    """Yield what is no literal of its own: parts of larger ones, and docstrings."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            yield id(node.value)
        elif isinstance(node, ast.JoinedStr) or _text(node) is not None:
            yield from (id(part) for part in ast.walk(node) if part is not node)


if __name__ == "__main__":
    sys.exit(main())
