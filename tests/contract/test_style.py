"""The house rules that no linter knows."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_says_what_it_shows() -> None:
    """A test's docstring states the behaviour, so that the suite reads as a specification."""
    silent = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert silent == []
