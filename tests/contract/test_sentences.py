"""What the services say comes to the page whole in German: every sentence has its words there."""

import ast
import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DASHBOARD = ROOT / "src/mqtt_dashboard/dashboard"
BRIDGE = ROOT / "src/mqtt_dashboard/bridge"
LOCALES = ROOT / "frontend/src/locales"
# The counts of which the page shows the reasons; frontend/src/views/system/losses.ts.
COUNTED = re.compile(r"const COUNTED = \[(.*?)\]", re.DOTALL)


@pytest.fixture(scope="module")
def sentences() -> Any:
    """Load the script that collects them."""
    spec = importlib.util.spec_from_file_location("sentences", ROOT / "scripts/sentences.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_sentence_has_german_words(sentences: Any) -> None:
    """None is missing, none is left over, and all fill in the same things."""
    said = sentences.collected()
    assert len(said) > 400
    known = json.loads((LOCALES / "de/server.json").read_text(encoding="utf-8"))
    assert sentences.problems(said, known) == []


def test_a_new_sentence_is_missed(sentences: Any) -> None:
    """Literals, those with something filled in, and sums are found; names and codes are not."""
    source = '''
"""A module about sentences."""
SOURCE = "the weather station"

def refuse(name: str, why: str) -> str:
    """Refuse a name."""
    log.warning("name.refused", code="not_allowed")
    raise RefusedError(f"the name {name!r} is refused: " + why + ", and that is that")

FORMAT = "{address} is gone for {span:.0f} s"
LATER = "; ask again later"
'''
    said = set(sentences.sentences(ast.parse(source)))
    assert said == {
        "the weather station",
        "the name {1} is refused: {2}, and that is that",
        "{1} is gone for {2} s",
        "{1}; ask again later",
    }
    known = dict.fromkeys(said - {"the weather station"}, "Worte") | {"nobody says this": "Worte"}
    wrong = "\n".join(sentences.problems(dict.fromkeys(said, "here.py"), known))
    assert "here.py: no German words for 'the weather station'" in wrong
    assert "nobody says 'nobody says this' any more" in wrong
    assert "the numbers in '{1} is gone for {2} s'" in wrong


def test_every_reason_of_a_loss_has_words() -> None:
    """What the page lists as left out it also says the reason of, in both languages."""
    counted = COUNTED.search((ROOT / "frontend/src/views/system/losses.ts").read_text())
    assert counted is not None
    names = set(re.findall(r'"(\w+)"', counted[1]))
    reasons = set()
    for file in DASHBOARD.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        found = re.findall(r'counters\.add\("(\w+)", "([^"]+)"', text)
        reasons |= {reason for name, reason in found if name in names}
        reasons |= set(re.findall(r'\bLoop\("([^"]+)"', text))
    for file in BRIDGE.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        reasons |= set(re.findall(r'aults\.(?:add|survived)\("([^"]+)"', text))
        reasons |= {f"report:{one}" for one in re.findall(r'_reporter\.every\(\w+, "(\w+)"', text)}
    assert {"too_many", "route", "heartbeat", "index_piece", "report:topics"} <= reasons
    for language in ("en", "de"):
        text = (LOCALES / language / "system.ts").read_text(encoding="utf-8")
        block = text.partition("lossReason")[2]
        words = set(re.findall(r'^    "?([\w:-]+)"?: "', block, re.MULTILINE))
        assert reasons - words == set(), language
