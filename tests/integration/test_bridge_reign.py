"""Who is the active bridge: cut off from Redis, pushed aside, ruling again."""

import json
import time
from pathlib import Path
from typing import Any

from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.contract.messages import LogMessage
from tests.support.relay import Relay
from tests.support.servers import Broker, RedisServer, running, wait_for
from tests.support.services import BridgeProcess, Device, Ear

NAMES = RedisChannels()


def status(redis_server: RedisServer) -> dict[str, Any]:
    """Return the active bridge's status."""
    document = redis_server.client().get(NAMES.bridge_status)
    return dict(json.loads(document)) if document else {}


def logged(redis_server: RedisServer, topic: str) -> list[tuple[int, LogMessage]]:
    """Return the messages of a topic in the log, with their epochs."""
    return [
        (batch.epoch, message)
        for _id, fields in redis_server.client().xrange(NAMES.message_log)
        for batch in [codec.unpack_batch(fields[b"b"])]
        for message in batch.messages
        if message.topic == topic
    ]


def test_a_leader_cut_off_from_redis_leaves_the_next_one_alone(
    tmp_path: Path, broker: Broker, redis_server: RedisServer
) -> None:
    """P41: without its lease it does not connect again, and what it had is not written later."""
    with Relay(redis_server.port) as relay, Device(broker.port) as device:
        one = BridgeProcess(tmp_path, broker.port, relay)
        two = BridgeProcess(tmp_path, broker.port, redis_server)
        with running(one):
            one.wait_ready()
            with running(two):
                wait_for(lambda: "another bridge" in two.probe("/readyz")[1], "it stands by")
                relay.shut = True
                relay.cut()
                for number in range(30):
                    device.publish("cut off", str(number), qos=number % 2)
                wait_for(two.ready, "the other takes over", 15)
                device.publish("value", "new")
                # Pushed out of the broker, the first one had all the time to come back.
                settled = time.monotonic()
                wait_for(lambda: time.monotonic() - settled > 5, "time passes")
                assert len(one.logged("mqtt.connected")) == 1
                assert len(two.logged("mqtt.connected")) == 1
                assert two.ready()
                relay.shut = False
                wait_for(lambda: one.logged("lease.lost"), "the first one learns of it")
                ruled = status(redis_server)["epoch"]
                assert two.terminate() == 0
                wait_for(one.ready, "the first one rules again", 15)
                device.publish("value", "newest")
                wait_for(lambda: len(logged(redis_server, "value")) == 2, "it writes")
        account = status(redis_server)["traffic"]
        late = [m for epoch, m in logged(redis_server, "cut off") if epoch > ruled]
        assert late == []
        assert account["dropped"]["lease_lost"] >= 15
        settled = account["forwarded"] + sum(account["dropped"].values())
        assert account["received"] == settled + account["queued"]
        # What was to be confirmed was given to the one that took over.
        kept = {int(m.payload) for epoch, m in logged(redis_server, "cut off") if epoch == ruled}
        assert {number for number in range(30) if number % 2} <= kept


def test_a_new_leader_tells_its_own_news_only(
    tmp_path: Path, bridge: BridgeProcess, broker: Broker, redis_server: RedisServer
) -> None:
    """What a standby went through before it took over is announced to nobody."""
    standby = BridgeProcess(tmp_path, broker.port, redis_server)
    with running(standby):
        wait_for(lambda: "another bridge" in standby.probe("/readyz")[1], "it stands by")
        ear = Ear(redis_server, NAMES.BROKER_STATUS)
        assert bridge.terminate() == 0
        goodbye = ear.wait("the goodbye", state="stopped")
        ear.wait("the new one is connected", state="connected")
        news = ear.documents[ear.documents.index(goodbye) + 1 :]
        assert [one["state"] for one in news] == ["connecting", "connected"]
        assert all(one["timestamp"] >= goodbye["timestamp"] for one in news)


def test_a_command_is_executed_once_whatever_the_lease_did(
    bridge: BridgeProcess, broker: Broker, redis_server: RedisServer
) -> None:
    """P08: after the lease was lost and regained several times there is one listener, not many."""
    client = redis_server.client()
    with Device(broker.port, topics=("once",)) as device:
        for _ in range(3):
            epoch = status(redis_server)["epoch"]
            client.set(NAMES.bridge_lease, "somebody else", px=1500)
            wait_for(lambda: "another bridge" in bridge.probe("/readyz")[1], "it gives way")
            wait_for(
                lambda before=epoch: status(redis_server).get("epoch", 0) > before,  # type: ignore[misc]
                "it rules again",
            )
            bridge.wait_ready()
        command = {"type": "cmd_publish", "topic": "once", "payload": "1", "qos": 1}
        wait_for(
            lambda: client.publish(NAMES.COMMANDS, json.dumps(command)) == 1, "somebody listens"
        )
        wait_for(lambda: device.heard("once"), "it is executed")
        device.publish("once", "end")
        wait_for(lambda: b"end" in device.heard("once"), "all has arrived")
        assert device.heard("once") == [b"1", b"end"]


def test_a_lost_session_is_a_gap_in_the_log(
    bridge: BridgeProcess, broker: Broker, redis_server: RedisServer
) -> None:
    """P33: where the broker forgot the session a number is missing, with the reason."""
    with Device(broker.port) as device:
        device.publish("before", "1")
        wait_for(lambda: logged(redis_server, "before"), "it is written")
    broker.kill()
    broker.start()
    bridge.wait_ready()
    with Device(broker.port) as device:
        device.publish("after", "1")
        wait_for(lambda: logged(redis_server, "after"), "it is written")
    batches = [
        codec.unpack_batch(fields[b"b"])
        for _id, fields in redis_server.client().xrange(NAMES.message_log)
    ]
    (first,) = (place for place, one in enumerate(batches) if one.gap)
    before, after = batches[first - 1], batches[first]
    assert after.gap == "session_lost"
    assert after.first_seq == before.first_seq + len(before.messages) + 1
