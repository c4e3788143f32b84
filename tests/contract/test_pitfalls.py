"""Rows of the list of pitfalls that are about how things are built and tested."""

import ast
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import yaml
from msgspec import Struct

from mqtt_dashboard import config
from mqtt_dashboard.bus.dashboard_store import DashboardStore
from mqtt_dashboard.clock import ManualClock
from mqtt_dashboard.config_auth import AuthSettings
from mqtt_dashboard.config_page import PageSettings
from mqtt_dashboard.contract import events, messages
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.dashboard import gunicorn_conf
from mqtt_dashboard.dashboard.app import create_app, worker_of
from mqtt_dashboard.dashboard.auth.permissions import ROUTES

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src/mqtt_dashboard/dashboard"
# Where the parts of a worker are put together, and nowhere else.
BUILDERS = {"app.py", "auth/parts.py", "wsgi.py"}
PARTS = {
    "AuthParts", "Auditor", "Census", "Commander", "Crowd", "DashboardStore", "EventFollower",
    "Fanout", "Gate", "Guard", "Heartbeat", "Interests", "JudgedPublisher", "LogFollower",
    "Publisher", "ReadModel", "Recognition", "RedactingOutlet", "RedisDoor", "ResultFollower",
    "Resumer", "SocketHandlers",
}  # fmt: skip


def _calls(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            name = node.func
            yield name.id if isinstance(name, ast.Name) else getattr(name, "attr", "")


def test_p60_parts_are_built_in_one_place_and_run_only_then() -> None:
    """P60: nobody wires an object that is replaced later: one builder, and nothing runs before."""
    built = {
        str(path.relative_to(SOURCE)): PARTS & set(_calls(path)) for path in SOURCE.rglob("*.py")
    }
    assert {name for name, found in built.items() if found} == BUILDERS
    assert set().union(*built.values()) == PARTS
    before = threading.active_count()
    app = create_app(
        config.load(config.DashboardSettings, {}),
        config.load(PageSettings, {}),
        config.load(AuthSettings, {}),
        DashboardStore(config.load(config.RedisSettings, {"REDIS_PORT": "1"})),
        ManualClock(),
    )
    assert threading.active_count() == before
    assert set(app.extensions["socketio"].server.handlers["/"]) > set(events.CLIENT_EVENTS)
    parts = worker_of(app).parts
    assert [loop.name for loop in parts.loops]
    assert parts.publisher is not None


def test_p65_the_server_model_is_chosen_and_shipped_as_tested() -> None:
    """P65: gevent workers, started by `mqtt-dashboard serve` in compose as in every test."""
    assert gunicorn_conf.worker_class == "gevent"
    assert gunicorn_conf.preload_app is False
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert services["mqtt-dashboard"]["command"] == ["mqtt-dashboard", "serve"]
    support = (ROOT / "tests/support/dashboard_server.py").read_text()
    assert '"mqtt-dashboard"' in support
    assert '"serve"' in support
    assert "worker_class" not in support


def test_p81_an_exception_in_any_thread_fails_the_run(tmp_path: Path) -> None:
    """P81: a test whose thread dies is red, although nothing in the test itself is wrong."""
    case = tmp_path / "test_thread.py"
    case.write_text(
        "import threading\n\n\ndef test_it():\n"
        "    thread = threading.Thread(target=lambda: 1 / 0)\n"
        "    thread.start()\n    thread.join()\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c",
         str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path), str(case)],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout
    assert "ZeroDivisionError" in done.stdout


def test_p81_nothing_of_ours_is_mocked() -> None:
    """P81: real Redis, real brokers, our own fakes that speak the protocol; no library of mocks."""
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    assert options["filterwarnings"] == ["error"]
    mocking = re.compile(
        r"^\s*(?:from|import) (?:unittest(?:\.mock)?|mock|pytest_mock)\b", re.MULTILINE
    )
    found = [path.name for path in _tests() if mocking.search(path.read_text())]
    assert found == []


def test_p82_names_in_redis_are_unique_all_of_them() -> None:
    """P82: generated from the class, so a new channel or key cannot be left out of the look."""
    names = RedisChannels("site:")
    fixed = [
        name for name, value in vars(RedisChannels).items() if isinstance(value, cached_property)
    ]
    values = [getattr(names, name) for name in fixed]
    assert len(fixed) > 25
    assert len(set(values)) == len(values)
    assert all(value.startswith("site:") for value in values)
    tags = [
        kind.__struct_config__.tag
        for kind in vars(messages).values()
        if isinstance(kind, type) and issubclass(kind, Struct)
        and kind.__struct_config__.tag
    ]  # fmt: skip
    assert len(tags) == len(set(tags)) >= 5


def test_p85_tests_poll_and_take_free_ports() -> None:
    """P85: no test listens on a port it chose itself; whoever waits, polls with a deadline."""
    fixed = re.compile(r"""(?:bind|listen|create_server)\(\(?["'][^"']*["'],\s*[1-9]\d*""")
    settings = re.compile(
        r"""(?:DASHBOARD_PORT|BRIDGE_HTTP_PORT|REDIS_PORT)["']?[:=]\s*["']?(\d+)"""
    )
    polling = 0
    for path in _tests():
        text = path.read_text()
        assert not fixed.search(text), path
        for port in settings.findall(text):
            # 0 takes any, 1 is nobody's, and what is no port is refused before it is used.
            assert int(port) in {0, 1} or int(port) > 65_535 or "config" in path.name, (path, port)
        polling += "wait_for(" in text
    assert polling > 60


def test_p89_what_is_often_left_for_later_is_there() -> None:
    """P89: metrics, load tests, faults and kept commands are part of it, each with its command."""
    assert "GET /metrics" in ROUTES
    makefile = (ROOT / "Makefile").read_text()
    for target in ("bench", "chaos", "test", "e2e"):
        assert re.search(rf"^{target}: .*## ", makefile, re.MULTILINE), target
    marked = [path for path in _tests() if "mark.chaos" in path.read_text()]
    assert len(marked) >= 3
    assert "appendonly yes" in (ROOT / "deploy/docker/redis.conf").read_text()


def _tests() -> list[Path]:
    return [path for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__)]
