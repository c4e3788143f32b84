"""The topic index outlives a killed bridge, a Redis that lost data, and whatever stands in it."""

import math
from pathlib import Path

from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.contract.messages import BridgeStatus, TopicsUpdate
from mqtt_dashboard.contract.topic_entry import TopicEntry
from tests.support.servers import Broker, RedisServer, running, wait_for
from tests.support.services import BridgeProcess, Device

NAMES = RedisChannels()


def entry(redis: RedisServer, topic: str) -> TopicEntry | None:
    packed = redis.client().hget(NAMES.topic_values, topic)
    return codec.unpack_entry(packed) if packed else None


def listed(redis: RedisServer, topic: str) -> bool:
    member = topic.replace("/", "\0").encode()
    return redis.client().zscore(NAMES.topic_names, member) is not None


def status(redis: RedisServer) -> BridgeStatus | None:
    document = redis.client().get(NAMES.bridge_status)
    return codec.decode(document, BridgeStatus) if document else None


def logged(redis: RedisServer, payload: bytes) -> bool:
    """Tell whether a message with this payload is in the log."""
    return any(
        message.payload == payload
        for _, fields in redis.client().xrevrange(NAMES.message_log, count=5)
        for message in codec.unpack_batch(fields[b"b"]).messages
    )


def test_older_data_in_redis_hides_no_topic(
    bridge: BridgeProcess, broker: Broker, redis_server: RedisServer
) -> None:
    """A Redis that came back with an older copy ends the reign and is told every topic again."""
    with Device(broker.port) as device:
        device.publish("before/x", "1")
        wait_for(lambda: listed(redis_server, "before/x"), "the index has the first topic")
        first = status(redis_server)
        redis_server.client().save()
        for number in range(5):
            device.publish(f"lost/{number}", "1")
        device.publish("before/x", "22")
        wait_for(lambda: listed(redis_server, "lost/4"), "the index has the others")
        wait_for(
            lambda: (one := entry(redis_server, "before/x")) and one.message_count == 2,
            "the index has the second value",
        )
        # By this the bridge can tell; without it the next write of the index would tell.
        assert first is not None
        wait_for(
            lambda: (now := status(redis_server)) and now.beat > first.beat + 1,
            "a renewal after the copy",
        )
        redis_server.kill()
        redis_server.start()
        assert not listed(redis_server, "lost/0")
        for number in range(5):
            wait_for(
                lambda number=number: listed(redis_server, f"lost/{number}"),  # type: ignore[misc]
                "what Redis lost is listed again",
                15,
            )
        later = wait_for(lambda: status(redis_server), "a status")
        assert later is not None
        assert later.epoch > first.epoch
        # The count is known here, the value went with Redis: it is not shown with a false date.
        again = wait_for(
            lambda: (one := entry(redis_server, "before/x")) and one.message_count == 2 and one,
            "the count is right again",
        )
        assert again
        assert (again.payload, again.size) == (b"", 2)
        device.publish("lost/0", "2")
        wait_for(
            lambda: (one := entry(redis_server, "lost/0")) and one.payload == b"2" and one,
            "it goes on",
        )
    assert bridge.alive()


def test_a_kill_loses_no_value_that_is_in_the_log(
    bridge: BridgeProcess, broker: Broker, redis_server: RedisServer
) -> None:
    """What was written to the log and not yet to the index is caught up, and counted once."""
    with Device(broker.port) as device:
        device.publish("rare", "old")
        wait_for(lambda: entry(redis_server, "rare"), "the index has the first value")
        # At QoS 0: the broker sends nothing again.
        device.publish("rare", "newer", qos=0, retain=True)
        device.publish("first", "1", qos=0)
        device.publish("rare", "newest", qos=0, retain=True)
        wait_for(lambda: logged(redis_server, b"newest"), "the log has it")
        bridge.kill()
        bridge.start().wait_ready()
        caught_up = wait_for(
            lambda: (one := entry(redis_server, "rare")) and one.message_count == 3 and one,
            "the index has all messages of the topic",
        )
        assert caught_up
        assert (caught_up.payload, caught_up.retained) == (b"newest", True)
        assert listed(redis_server, "first")
        bridge.kill()
        bridge.start().wait_ready()
        wait_for(lambda: len(bridge.logged("index.restored")) == 3, "the index was read again")
    once = entry(redis_server, "first")
    assert once is not None
    assert once.message_count == 1
    assert bridge.logged("index.gap") == []


HOSTILE = {
    "qos": (b"x", 1, 300, False, 1, 1.0, 1.0, 0.0),
    "negative": (b"x", -1, 0, False, -1, 1.0, 1.0, 0.0),
    "size": (b"x", 2**33, 0, False, 1, 1.0, 1.0, 0.0),
    "count": (b"x", 1, 0, False, 2**64 - 1, 1.0, 1.0, 0.0),
    "never": (b"x", 1, 0, False, 1, math.nan, math.inf, 0.0),
    "rate": (b"x", 1, 0, False, 1, 1.0, 1.0, math.nan),
    "": (b"x", 1, 0, False, 1, 1.0, 1.0, 0.0),
}


def test_hostile_entries_are_counted_and_passed_over(
    tmp_path: Path, broker: Broker, redis_server: RedisServer
) -> None:
    """Values no bridge writes neither end the process nor hide what stands beside them."""
    client = redis_server.client()
    good = TopicEntry("good", b"v", 1, 1, False, 7, 1.0, 2.0, 0.5)
    client.hset(NAMES.topic_values, "good", codec.pack(good))
    client.zadd(NAMES.topic_names, {b"good": 0})
    for name, rest in HOSTILE.items():
        client.hset(NAMES.topic_values, name, codec.pack((name, *rest)))
        client.zadd(NAMES.topic_names, {name: 0})
    client.hset(NAMES.topic_values, "another", codec.pack(good))  # an entry in a strange place
    client.hset(NAMES.topic_values, "bytes", b"\xc1")
    client.hset(NAMES.topic_state, mapping={"writes": "-1", "epoch": "x", "seq": 2**70})
    bridge = BridgeProcess(tmp_path, broker.port, redis_server)
    with running(bridge), Device(broker.port) as device:
        bridge.wait_ready()
        device.publish("good", "w")
        device.publish("qos", "fresh")
        wait_for(
            lambda: (one := entry(redis_server, "good")) and one.message_count == 8,
            "the good one goes on",
        )
        fresh = entry(redis_server, "qos")
        assert fresh is not None
        assert (fresh.payload, fresh.message_count) == (b"fresh", 1)
        wait_for(
            lambda: (
                (now := status(redis_server))
                and now.faults.get("unreadable_entry") == len(HOSTILE) + 2
            ),
            "they are counted",
        )
        assert bridge.probe("/healthz")[0] == 200
        assert (
            'mqtt_bridge_faults_total{place="unreadable_entry"} 9.0' in bridge.probe("/metrics")[1]
        )


def test_long_names_are_bounded_in_bytes(
    tmp_path: Path, broker: Broker, redis_server: RedisServer
) -> None:
    """Names of 60 kB fill their own budget, not the memory, and no document outgrows its reader."""
    budget = 1024 * 1024
    bridge = BridgeProcess(
        tmp_path, broker.port, redis_server, TOPIC_NAMES_BYTES=str(budget), MQTT_TOPICS="long/#"
    )

    def announced() -> TopicsUpdate | None:
        document = redis_server.client().get(NAMES.latest(NAMES.TOPIC_LIST))
        update = codec.decode(document, TopicsUpdate) if document else None
        return update if update and update.changed_count else None

    with running(bridge), Device(broker.port) as device:
        bridge.wait_ready()
        for number in range(40):
            device.publish(f"long/{number:02}/" + '"' * 60_000, "1")
        update = wait_for(announced, "the document says what was left out", 20)
        assert update is not None
        assert update.count == budget // 60_008
        assert update.left_out_by == {"name_bytes": 40 - update.count}
        assert update.left_out == 40 - update.count
        size = redis_server.client().strlen(NAMES.latest(NAMES.TOPIC_LIST))
        assert size < codec.MAX_DOCUMENT_BYTES / 10
        assert update.changed_count == update.count
