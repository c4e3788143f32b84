"""`pub` that waits for a reply, and the topics a shell completes."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.integration.test_cli_server import System, started
from tests.support.command_line import Done, invoke
from tests.support.servers import wait_for
from tests.support.services import Device


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with started(tmp_path_factory.mktemp("reply")) as found:
        yield found


@contextmanager
def answering(
    system: System, topic: str, answer: Callable[[Device, Any], None]
) -> Iterator[Device]:
    """Run a device that answers what it gets on a topic."""
    with Device(system.broker.port, "answerer", topics=(topic,)) as device:
        stop, seen = threading.Event(), 0

        def work() -> None:
            nonlocal seen
            while not stop.wait(0.02):
                for message in device.received[seen:]:
                    seen += 1
                    answer(device, message)

        worker = threading.Thread(target=work)
        worker.start()
        try:
            yield device
        finally:
            stop.set()
            worker.join(5)


def test_the_second_time_says_that_it_is_a_repetition(system: System) -> None:
    """The same key again did nothing, and reads like that."""
    words = ["pub", "twice/a", "1", "--key", "k-1"]
    first, second = run(system, *words), run(system, *words)
    assert (first.status, second.status) == (0, 0)
    assert "repeated" not in first.out
    assert second.out.startswith("acked  twice/a: ")
    assert "repeated: sent before under this key" in second.out


def test_pub_waits_for_the_reply(system: System) -> None:
    """The reply of the same correlation data is written, with the time it took; status 0."""

    def answer(device: Device, message: Any) -> None:
        found = message.properties
        device.publish(found.ResponseTopic, "foreign", correlation=b"another")
        device.publish(found.ResponseTopic, "unmarked")
        device.publish(found.ResponseTopic, "on\x1b", correlation=found.CorrelationData)

    ask = ["pub", "ask/lamp", "?", "--response-topic", "answers/me", "--wait-reply", "15"]
    with answering(system, "ask/lamp", answer):
        done = run(system, *ask)
        assert done.status == 0, done.err
        lines = done.out.splitlines()
        assert lines[0].startswith("acked  ask/lamp: ")
        assert lines[1].startswith("reply  answers/me after ")
        assert lines[1].endswith(" ms: on\\x1b")
        assert "2 others" in done.err
        found = json.loads(run(system, *ask, "--correlation", "42", "--json").out)
        assert found["command"]["state"] == "acked"
        assert (found["reply"]["payload"], found["others"]) == ("on\x1b", 2)
        assert 0 < found["round_trip_s"] < 15


def test_pub_says_when_no_reply_came(system: System) -> None:
    """Status 9 after the time that was given; without a response topic it is wrong usage."""
    ask = ["pub", "ask/nobody", "?", "--wait-reply", "0.5"]
    silent = run(system, *ask, "--response-topic", "answers/none")
    assert (silent.status, "no reply" in silent.err) == (9, True)
    assert silent.out.startswith("acked  ask/nobody: ")
    assert run(system, *ask).status == 2
    assert run(system, *ask, "--response-topic", "a", "--no-wait").status == 2
    document = run(system, *ask, "--response-topic", "answers/none", "--json")
    assert document.status == 9
    found = json.loads(document.out)
    assert (found["reply"], found["round_trip_s"], found["others"]) == (None, None, 0)
    # Nothing was sent, so nothing is waited for.
    system.bridge.freeze()
    try:
        late = run(system, *ask, "--response-topic", "answers/none", "--deadline", "1")
        assert late.status == 6, late
    finally:
        system.bridge.thaw()


def run(system: System, *words: str, **extra: str) -> Done:
    """Run a command on the system's dashboard."""
    return invoke({"MQTT_DASHBOARD_URL": system.dashboard.url, **extra}, *words)


def complete(system: System, line: str, **extra: str) -> list[str]:
    """Return what bash is offered at the end of a line."""
    words = line.split(" ")
    asked = {
        "_MQTT_DASHBOARD_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    done = run(system, **asked, **extra)
    assert done.err == "", done.err
    return [one.partition(",")[2] for one in done.out.splitlines() if one]


def test_a_shell_completes_topics(system: System) -> None:
    """Of the dashboard, for pub and tail; never one that a shell would run or split."""
    hostile = ("plant/$(reboot)", "plant/`id`", "plant/a ", "plant/;x", "plant/\u202ex", "plant/'")
    with Device(system.broker.port) as device:
        for topic in ("plant/hall/lamp", "plant/hall/door", "plant/yard", *hostile):
            device.publish(topic, "x")
        wait_for(
            lambda: run(system, "topics", "plant/#").out.count("\n") == 9, "the index has them"
        )
    known = ["plant/hall/door", "plant/hall/lamp", "plant/yard"]
    for command in ("pub", "tail"):
        assert complete(system, f"mqtt-dashboard {command} plant/") == known
        assert complete(system, f"mqtt-dashboard {command} plant/ha") == known[:2]
        assert complete(system, f"mqtt-dashboard {command} nothing/") == []
    assert complete(system, "mqtt-dashboard tail plant/yard plant/h") == known[:2]
    assert (
        complete(system, f"mqtt-dashboard tail --url {system.dashboard.url} plant/y") == known[2:]
    )


def test_completion_is_silent_without_a_dashboard(system: System) -> None:
    """Nothing that answers, an answer that is none, a wrong token: no topics and no complaint."""
    line = "mqtt-dashboard tail plant/"
    assert complete(system, line, MQTT_DASHBOARD_URL="http://127.0.0.1:1") == []
    assert complete(system, line, MQTT_DASHBOARD_URL="nonsense") == []
    assert complete(system, line, MQTT_DASHBOARD_TOKEN_FILE="/nowhere") == []
