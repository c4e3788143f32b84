"""The invented devices: believable, all below demo/, the same story for the same seed."""

import json
from itertools import pairwise

from mqtt_dashboard.contract.topics import check_topic
from mqtt_dashboard.embedded.demo_traffic import TICK_S, Plant, Publication


def _minute(seed: int = 1) -> list[Publication]:
    plant = Plant(seed)
    return [message for _ in range(int(60 / TICK_S)) for message in plant.tick()]


def test_everything_is_marked_as_demo_by_its_topic() -> None:
    """Every message, retained ones too, is a valid topic below demo/."""
    for message in [*_minute(), *Plant().retained()]:
        assert check_topic(message.topic).startswith("demo/")


def test_the_rate_suits_a_demo() -> None:
    """Between 20 and 50 messages a second."""
    assert 20 <= len(_minute()) / 60 <= 50


def test_the_same_seed_tells_the_same_story() -> None:
    """Two plants of one seed agree, of another seed they do not."""
    assert _minute(7) == _minute(7)
    assert _minute(7) != _minute(8)


def test_climate_drifts_slowly_and_stays_believable() -> None:
    """A room's temperature never jumps, and stays where people could live."""
    series: dict[str, list[float]] = {}
    for message in _minute() + _minute(3):
        if message.topic.endswith("/climate"):
            series.setdefault(message.topic, []).append(json.loads(message.payload)["temperature"])
    assert len(series) == 20
    for values in series.values():
        half = values[: len(values) // 2]
        assert all(15 < value < 30 for value in values)
        assert max(abs(a - b) for a, b in pairwise(half)) < 0.5


def test_there_is_something_of_every_kind() -> None:
    """JSON, plain numbers, words, bytes that are no text, retained and QoS 1 messages."""
    messages = [*_minute(), *Plant().retained()]
    assert any(message.payload.startswith(b"{") for message in messages)
    assert any(message.payload.replace(b".", b"").isdigit() for message in messages)
    assert any(message.payload == b"running" and message.retain for message in messages)
    assert {message.qos for message in messages} == {0, 1}
    assert any(b"\xfe" in message.payload for message in messages)
