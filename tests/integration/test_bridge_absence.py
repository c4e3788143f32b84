"""What a broker keeps for a bridge that is away, and what is said when it did not."""

from pathlib import Path

import pytest

from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.channels import RedisChannels
from tests.support.servers import Broker, RedisServer, running, wait_for
from tests.support.services import BridgeProcess, Device, Ear

NAMES = RedisChannels()
DEPLOYED = Path(__file__).parents[2] / "deploy/mosquitto/mosquitto.conf"
COUNT = 3000


def _queue_limits() -> str:
    lines = DEPLOYED.read_text().splitlines()
    return "\n".join(line for line in lines if line.startswith("max_queued_"))


def _publish_while_away(folder: Path, broker: Broker, redis_server: RedisServer) -> None:
    bridge = BridgeProcess(folder, broker.port, redis_server)
    with running(bridge):
        bridge.wait_ready()
    with Device(broker.port) as device:
        for number in range(COUNT - 1):
            device.client.publish("away", str(number), qos=1)
        device.publish("away", str(COUNT - 1))


def _logged(redis_server: RedisServer) -> set[bytes]:
    return {
        message.payload
        for _id, fields in redis_server.client().xrange(NAMES.message_log)
        for message in codec.unpack_batch(fields[b"b"]).messages
        if message.topic == "away"
    }


def test_the_shipped_broker_keeps_what_comes_meanwhile(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    """P39: three times the default queue comes while the bridge is away, and nothing is lost."""
    broker = Broker(tmp_path, extra=_queue_limits())
    with running(broker):
        _publish_while_away(tmp_path, broker, redis_server)
        bridge = BridgeProcess(tmp_path, broker.port, redis_server)
        with running(bridge):
            bridge.wait_ready()
            wanted = {str(number).encode() for number in range(COUNT)}
            wait_for(lambda: _logged(redis_server) == wanted, "every message", 15)


def test_what_a_stock_broker_dropped_is_counted(tmp_path: Path, redis_server: RedisServer) -> None:
    """P39: a broker with the default queue loses most of it; how many is in its statistics."""
    ear = Ear(redis_server, NAMES.BROKER_STATS)
    broker = Broker(tmp_path)
    with running(broker):
        _publish_while_away(tmp_path, broker, redis_server)
        bridge = BridgeProcess(tmp_path, broker.port, redis_server)
        with running(bridge):
            bridge.wait_ready()
            wait_for(lambda: str(0).encode() in _logged(redis_server), "the first message", 15)

            def told() -> bool:
                documents = [one["data"]["publish_dropped"] for one in ear.listen()]
                return any(
                    dropped and dropped >= COUNT - len(_logged(redis_server))
                    for dropped in documents
                )

            wait_for(told, "the broker's drops are told", 15)
            assert len(_logged(redis_server)) < COUNT


@pytest.mark.parametrize("known", [True, False], ids=["kept", "lost"])
def test_a_session_that_the_broker_lost_is_told(
    tmp_path: Path, redis_server: RedisServer, known: bool
) -> None:
    """P40: after a crash without persistence the session is gone, and the bridge says so."""
    broker = Broker(tmp_path)
    with running(broker):
        _publish_while_away(tmp_path, broker, redis_server)
        if not known:
            broker.kill()
            broker.start()
        ear = Ear(redis_server, NAMES.BROKER_STATUS)
        bridge = BridgeProcess(tmp_path, broker.port, redis_server)
        with running(bridge):
            bridge.wait_ready()
            words = "resumed its session" if known else "opened a new session"
            wait_for(lambda: any(words in one["reason"] for one in ear.listen()), words, 10)
            assert (b"0" in _logged(redis_server)) == known
