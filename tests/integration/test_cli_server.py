"""`pub`, `tail`, `topics`, `users` and `tokens` against the real broker, bridge and dashboard."""

import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.dashboard_server import DashboardServer
from tests.support.servers import Broker, RedisServer, free_port, running, wait_for
from tests.support.services import BridgeProcess, Device
from tests.support.visitors import PASSWORD, make_token, store_of

SCRIPT = Path(sys.executable).parent / "mqtt-dashboard"
HOSTILE = "\u202eevil\u009b31m\x7f"
HOSTILE_PAYLOAD = "\x1b]0;owned\x07\r\n\x9b2J\u202e"


@dataclass
class System:
    broker: Broker
    redis: RedisServer
    bridge: BridgeProcess
    dashboard: DashboardServer

    def environment(self, **extra: str) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if "MQTT" not in name}
        return {**clean, "MQTT_DASHBOARD_URL": self.dashboard.url, **extra}

    def run(
        self, *words: str, given: bytes = b"", **extra: str
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command to its end."""
        return subprocess.run(
            [str(SCRIPT), *words],
            env=self.environment(**extra),
            input=given,
            capture_output=True,
            timeout=40,
            check=False,
        )


@contextmanager
def started(folder: Path, broker_extra: str = "", **environ: str) -> Iterator[System]:
    broker, redis = Broker(folder, extra=broker_extra), RedisServer(folder, aof=True)
    with running(broker, redis):
        bridge = BridgeProcess(folder, broker.port, redis)
        dashboard = DashboardServer(folder, redis.port, **environ)
        with running(bridge, dashboard):
            bridge.wait_ready()
            if not environ:
                dashboard.wait_ready()
            yield System(broker, redis, bridge, dashboard)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with started(tmp_path_factory.mktemp("cli")) as found:
        yield found


class Running:
    """A command that runs until it is told to end; its output is read as it comes."""

    def __init__(self, system: System, words: Sequence[str]) -> None:
        self.process = subprocess.Popen(
            [str(SCRIPT), *words],
            env=system.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.out: list[bytes] = []
        self.err: list[bytes] = []
        self._readers = [
            threading.Thread(target=self._keep, args=(self.process.stdout, self.out)),
            threading.Thread(target=self._keep, args=(self.process.stderr, self.err)),
        ]
        for reader in self._readers:
            reader.start()

    def _keep(self, pipe: Any, lines: list[bytes]) -> None:
        with pipe:
            lines.extend(pipe)

    def text(self) -> str:
        return b"".join(self.out).decode()

    def complaints(self) -> str:
        return b"".join(self.err).decode()

    def end(self, timeout: float = 15) -> int:
        """Wait for the end and for all output; return the exit status."""
        status = self.process.wait(timeout)
        for reader in self._readers:
            reader.join(5)
        return status


@contextmanager
def tailing(system: System, *words: str) -> Iterator[Running]:
    """Run a tail and wait until the dashboard serves it."""

    def served() -> int:
        return int(system.dashboard.get("/health")[1]["websocket"]["connected_clients"])

    before = served()
    running_tail = Running(system, ["tail", *words])
    try:
        wait_for(lambda: served() > before, "the tail is connected")
        probe(system, running_tail)
        yield running_tail
    finally:
        running_tail.process.kill()
        running_tail.end()


def probe(system: System, tail: Running) -> None:
    """Publish until the tail writes it, so that what follows is seen for certain."""
    with Device(system.broker.port, "prober") as device:

        def seen() -> bool:
            device.publish("probe", "seen")
            return b"seen" in b"".join(tail.out)

        wait_for(seen, "the tail writes")


def test_pub_sends_every_property_and_says_acked(system: System) -> None:
    """All options are in the packet a device gets; the line tells the result, status 0."""
    with Device(system.broker.port, topics=("p/#",)) as device:
        words = ["pub", "p/a", "-", "--content-type", "text/plain", "--response-topic", "r/1"]
        words += ["--correlation", "base64:AP8=", "--expiry", "900", "--payload-format", "text"]
        words += ["-u", "k=1", "-u", "k=a=b", "-q", "2", "--mode", "exactly-once"]
        done = system.run(*words, given="grüße".encode())
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.startswith(b"acked  p/a: ")
        wait_for(lambda: device.heard("p/a") == ["grüße".encode()], "the device hears it")
        found: Any = device.received[-1].properties
        assert (found.ContentType, found.ResponseTopic) == ("text/plain", "r/1")
        assert (found.CorrelationData, found.PayloadFormatIndicator) == (b"\x00\xff", 1)
        assert 890 <= found.MessageExpiryInterval <= 900
        assert found.UserProperty == [("k", "1"), ("k", "a=b")]


def test_pub_sends_bytes_of_a_file_and_a_key_does_it_once(system: System, tmp_path: Path) -> None:
    """The same key twice is one message; JSON holds the record."""
    content = tmp_path / "image"
    content.write_bytes(bytes(range(256)))
    with Device(system.broker.port, topics=("f/#",)) as device:
        words = ["pub", "f/a", "--file", str(content), "--key", "once", "--json"]
        first, second = (json.loads(system.run(*words).stdout) for _ in range(2))
        assert first["id"] == second["id"]
        assert (first["repeated"], second["repeated"]) == (False, True)
        assert first["mode"] == "at-least-once"
        system.run("pub", "f/end")
        wait_for(lambda: device.heard("f/end") == [b""], "what came after it")
        assert device.heard("f/a") == [content.read_bytes()]


def test_pub_has_a_status_for_every_result(tmp_path: Path) -> None:
    """Failed 5, expired 6, indeterminate 7; wrong usage 2, refused 1."""
    rules = tmp_path / "acl"
    rules.write_text("topic read #\ntopic read $SYS/#\ntopic write ok/#\n")
    rules.chmod(0o644)
    with started(tmp_path, f"acl_file {rules}") as system:
        failed = system.run("pub", "forbidden", "1")
        assert (failed.returncode, b"(0x87)" in failed.stdout) == (5, True)
        system.broker.freeze()
        unknown = system.run("pub", "ok/a", "1", "--deadline", "2")
        system.broker.thaw()
        assert unknown.returncode == 7, unknown
        assert unknown.stdout.startswith(b"indeterminate  ok/a: ")
        system.bridge.kill()
        late = system.run("pub", "ok/a", "1", "--deadline", "1")
        assert (late.returncode, late.stdout[:9]) == (6, b"expired  ")
        queued = system.run("pub", "ok/a", "1", "--deadline", "60", "--no-wait")
        assert (queued.returncode, queued.stdout[:10]) == (0, b"accepted  ")
        refused = system.run("pub", "a/#", "1")
        assert (refused.returncode, b"wildcards" in refused.stderr) == (1, True)
        assert system.run("pub", "a", "1", "--file", "x").returncode == 2
        assert system.run("pub", "a", "-u", "no sign").returncode == 2
        assert refused.stderr.count(b"\n") == 1


def test_without_a_dashboard_each_command_says_so_in_a_line(system: System) -> None:
    """Status 3 and what to do; no traceback."""
    nowhere = f"http://127.0.0.1:{free_port()}"
    for words in (["pub", "a", "b"], ["tail", "a"], ["topics"], ["users", "list"]):
        done = system.run(*words, "--url", nowhere)
        assert done.returncode == 3, (words, done)
        assert b"is it running?" in done.stderr
        assert done.stderr.count(b"\n") == 1
    wrong = system.run("topics", "--url", "mqtt://x")
    assert (wrong.returncode, b"http://host" in wrong.stderr) == (2, True)


def test_tail_writes_what_comes_and_nothing_steers_the_terminal(system: System) -> None:
    """Control and direction characters are written out, bytes as base64; JSON is ASCII."""
    with (
        tailing(system, "t/#", "probe", "-v") as plain,
        tailing(system, "t/#", "probe", "--json") as documents,
        tailing(system, "t/#", "probe", "--raw", "--payload") as raw,
        Device(system.broker.port) as device,
    ):
        device.publish(f"t/{HOSTILE[:5]}", HOSTILE_PAYLOAD)
        device.publish("t/bytes", b"\xff\x00\x1b[31m", retain=True)
        device.publish("t/end", "end")
        tails = (plain, documents, raw)
        wait_for(lambda: all(b"end" in b"".join(one.out) for one in tails), "the last message")
        text = plain.text()
        assert "\\x1b]0;owned\\x07\\r\\n\\x9b2J\\u202e" in text
        assert "t/\\u202eevil" in text
        assert "base64:/wAbWzMxbQ==" in text
        assert "[qos=1] " in text
        for steering in "\x1b\x07\r\x9b\u202e":
            assert steering not in text
        assert documents.text().isascii()
        found = [json.loads(line) for line in documents.text().splitlines()]
        assert HOSTILE_PAYLOAD in [one["payload"] for one in found]
        assert b"\xff\x00\x1b[31m\n" in b"".join(raw.out)


def test_tail_gives_back_the_credit_for_what_it_wrote(system: System) -> None:
    """More frames than are given at first come, each with one message."""
    with tailing(system, "c/#", "probe", "--payload") as tail, Device(system.broker.port) as device:
        for number in range(20):
            line = f"one {number}\n".encode()
            device.publish("c/a", line.strip())
            wait_for(lambda line=line: line in tail.out, f"message {number}")  # type: ignore[misc]


def test_tail_ends_when_it_was_told_to(system: System) -> None:
    """--count ends with 0, --for too, --count that was not reached with 9, SIGINT with 130."""
    with tailing(system, "n/#", "probe", "--count", "1") as tail:
        assert tail.end() == 0
    assert system.run("tail", "none/#", "--for", "0.5").returncode == 0
    few = system.run("tail", "none/#", "--for", "0.5", "--count", "2")
    assert (few.returncode, b"2 of 2 messages did not come" in few.stderr) == (9, True)
    with tailing(system, "n/#", "probe") as tail:
        tail.process.send_signal(signal.SIGINT)
        assert tail.end() == 130
        assert tail.complaints() == ""


def test_tail_is_quiet_when_its_reader_has_seen_enough(system: System) -> None:
    """A closed pipe is no error and no traceback."""
    with Device(system.broker.port, topics=()) as device:
        command = f"{SCRIPT} tail 'pipe/#' | head -n 1"
        process = subprocess.Popen(
            ["bash", "-o", "pipefail", "-c", command],
            env=system.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

        def ended() -> bool:
            device.publish("pipe/a", "x")
            return process.poll() is not None

        wait_for(ended, "the pipe ends", 20)
        out, err = process.communicate()
        assert out.count(b"\n") == 1
        assert err == b""
        assert process.returncode == 0


def test_tail_goes_on_where_a_lost_connection_broke_off(tmp_path: Path) -> None:
    """What came while the dashboard was away is written once, and the break is told."""
    with started(tmp_path) as system, tailing(system, "r/#", "probe", "--payload") as tail:
        with Device(system.broker.port) as device:
            device.publish("r/a", "before")
            wait_for(lambda: b"before\n" in tail.out, "the first")
            # With SIGKILL its workers would go on for a moment.
            system.dashboard.terminate()
            # More than a new subscription is given of the past.
            for number in range(120):
                device.publish("r/a", f"meanwhile {number}")
            system.dashboard.start()
            wait_for(lambda: "connected again" in tail.complaints(), "it is back", 20)
            device.publish("r/a", "after")
            wait_for(lambda: b"after\n" in tail.out, "the last")
        lines = [line for line in tail.text().splitlines() if line != "seen"]
        missed = [f"meanwhile {number}" for number in range(120)]
        assert lines == ["before", *missed, "after"]
        assert "-- the connection was lost" in tail.complaints()
        assert "gap" not in tail.complaints()


def test_tail_says_what_a_slow_reader_was_not_sent(system: System) -> None:
    """Nothing reads for a while: what was skipped is counted on standard error."""
    with (
        subprocess.Popen(
            [str(SCRIPT), "tail", "slow/#", "--json"],
            env=system.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process,
        Device(system.broker.port) as device,
    ):
        assert process.stdout is not None
        assert process.stderr is not None
        output = process.stdout.fileno()

        def writes() -> bool:
            device.publish("slow/0", "x")
            return bool(select.select([output], [], [], 0.05)[0])

        wait_for(writes, "the tail writes")
        for number in range(30_000):
            device.client.publish(f"slow/{number % 10}", "x" * 500, qos=0)
        device.publish("slow/0", "the end")
        reader = threading.Thread(target=process.stdout.read)
        reader.start()
        told = b""
        while b"messages skipped here" not in told:
            line = process.stderr.readline()
            assert line, "the tail ended"
            told += line
        process.kill()
        reader.join(10)


def test_topics_are_listed_searched_and_drawn(system: System) -> None:
    """By filter, by words, as JSON and as a tree; hostile names are written out."""
    with Device(system.broker.port) as device:
        device.publish("plant/hall/lamp", "on\x1b[31m", retain=True)
        device.publish("plant/hall/door", "shut")
        device.publish("plant/yard", "dry")
        device.publish("plant/\u202eevil", "x")

    def listed(*words: str) -> str:
        done = system.run("topics", *words)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode()

    wait_for(lambda: listed("plant/#").count("\n") == 4, "the index knows them")
    text = listed("plant/#")
    assert "plant/hall/lamp\ton\\x1b[31m\tretained" in text
    assert "plant/\\u202eevil" in text
    assert listed("--search", "hall door").count("\n") == 1
    (found,) = [json.loads(line) for line in listed("plant/yard", "--json").splitlines()]
    assert (found["topic"], found["message_count"]) == ("plant/yard", 1)
    tree = listed("plant/#", "--tree").splitlines()
    assert tree[0] == "plant  (4)"
    assert "  hall  (2)" in tree
    assert "    door" in tree
    few = system.run("topics", "plant/#", "--limit", "2")
    assert (few.stdout.count(b"\n"), b"--limit" in few.stderr) == (2, True)


def test_a_token_opens_what_its_role_may(tmp_path: Path) -> None:
    """Without one it is said what to do (4); roles and filters are the server's; none is shown."""
    environ = {"AUTH_MODE": "required", "ADMIN_PASSWORD": PASSWORD}
    with started(tmp_path, **environ) as system:
        wait_for(lambda: store_of(system.redis.port).has_users(), "the first user")
        none = system.run("topics")
        assert (none.returncode, b"MQTT_DASHBOARD_TOKEN" in none.stderr) == (4, True)
        assert system.run("tail", "a/#").returncode == 4
        viewer = make_token(system.redis.port, "viewer", ["a/#"])
        kept = tmp_path / "token"
        kept.write_text(f"{viewer}\n")
        assert system.run("topics", MQTT_DASHBOARD_TOKEN_FILE=str(kept)).returncode == 0
        assert system.run("topics", "--token-file", str(kept)).returncode == 0
        refused = system.run("pub", "a/b", "1", MQTT_DASHBOARD_TOKEN=viewer)
        assert (refused.returncode, b"operator" in refused.stderr) == (4, True)
        hidden = system.run("tail", "#", MQTT_DASHBOARD_TOKEN=viewer)
        assert (hidden.returncode, viewer.encode() in hidden.stderr) == (4, False)
        wrong = system.run("topics", MQTT_DASHBOARD_TOKEN="mqd_no")
        assert (wrong.returncode, b"mqd_no" in wrong.stderr) == (4, False)

        admin = make_token(system.redis.port, "administrator")
        ask = ["--url", system.dashboard.url]
        added = system.run(
            "users", "add", "ada", "--generate", "--json", *ask, MQTT_DASHBOARD_TOKEN=admin
        )
        assert json.loads(added.stdout)["role"] == "viewer", added.stderr
        listed = system.run("users", "list", *ask, "--json", MQTT_DASHBOARD_TOKEN=admin)
        assert {one["name"] for one in json.loads(listed.stdout)} == {"admin", "ada"}
        assert system.run("users", "list", *ask, MQTT_DASHBOARD_TOKEN=viewer).returncode == 4
        changed = system.run("users", "role", "ada", "operator", *ask, MQTT_DASHBOARD_TOKEN=admin)
        assert changed.stdout == b"ada is operator now\n"
        made = system.run("tokens", "create", "job", *ask, "--json", MQTT_DASHBOARD_TOKEN=admin)
        document = json.loads(made.stdout)
        assert system.run("topics", MQTT_DASHBOARD_TOKEN=document["token"]).returncode == 0
        identity = document["info"]["id"]
        revoked = system.run("tokens", "revoke", identity, *ask, MQTT_DASHBOARD_TOKEN=admin)
        assert revoked.returncode == 0
        assert system.run("topics", MQTT_DASHBOARD_TOKEN=document["token"]).returncode == 4
        gone = system.run("users", "remove", "nobody", *ask, MQTT_DASHBOARD_TOKEN=admin)
        assert gone.returncode == 1
