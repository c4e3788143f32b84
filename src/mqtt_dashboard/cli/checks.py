"""The doctor's checks: one method each, each with a finding and, if it failed, what to do."""

import json
import time
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass
from typing import Any

from mqtt_dashboard.bus import connection, durability
from mqtt_dashboard.bus.dashboard_orders import Bounds, DashboardOrders
from mqtt_dashboard.bus.durability import Durability
from mqtt_dashboard.cli.probe import Probe
from mqtt_dashboard.cli.sockets_of import connections_to
from mqtt_dashboard.config import DashboardSettings, MqttSettings, RedisSettings
from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.contract.messages import BridgeStatus
from mqtt_dashboard.contract.orders import CommandRecord, Order
from mqtt_dashboard.errors import BusError, ContractError, DashboardError

STATS_WITHIN_S = 10.0
PROBE_WITHIN_S = 5.0
COMMAND_DEADLINE_S = 1.5
RESULT_WITHIN_S = 2.5
PROBE_BOUNDS = Bounds(commands=10_000, bytes=64 * 1024 * 1024, ttl_s=60)
PROBE_DURABILITY = Durability(None, "not asked")
WATCH_S = 3.0


@dataclass(frozen=True)
class Finding:
    """The outcome of one check; ``ok`` is None when it could not be judged from here."""

    name: str
    ok: bool | None
    detail: str
    advice: str = ""


class Checks:
    """The checks of a running system, in the order in which one explains the next."""

    def __init__(
        self,
        mqtt: MqttSettings,
        redis: RedisSettings,
        dashboard: DashboardSettings,
        url: str,
        token: str | None = None,
    ) -> None:
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._mqtt = mqtt
        self._redis = redis
        self._dashboard = dashboard
        self._url = url.rstrip("/")
        self._names = RedisChannels(redis.prefix)
        self._client = connection.open_client(redis, "mqtt-dashboard-doctor")
        self._probe_id = uuid.uuid4().hex[:12]
        self._topic = f"mqtt-dashboard/doctor/{self._probe_id}"

    def broker(self) -> Finding:
        """Connect to the broker with the bridge's account."""
        where = f"{self._mqtt.host}:{self._mqtt.port}"
        try:
            with Probe(self._mqtt) as probe:
                version = probe.session.protocol if probe.session else "?"
        except DashboardError as error:
            return Finding(
                "broker reachable",
                False,
                str(error),
                f"start the broker on {where}, or correct MQTT_BROKER_HOST, MQTT_BROKER_PORT, "
                "MQTT_USERNAME and MQTT_PASSWORD",
            )
        return Finding("broker reachable", True, f"{where} answers with MQTT {version}")

    def redis(self) -> Finding:
        """Ask Redis."""
        try:
            with connection.plain_errors(self._redis.address):
                version = str(self._client.info("server")["redis_version"])
        except BusError as error:
            return Finding(
                "Redis reachable",
                False,
                error.reason,
                "start Redis, or correct REDIS_HOST, REDIS_PORT and REDIS_PASSWORD",
            )
        return Finding("Redis reachable", True, f"{self._redis.address} runs {version}")

    def keeps(self) -> Finding:
        """See that accepted commands outlive a restart of Redis."""
        name = "accepted commands are kept"
        try:
            found = durability.ask(self._client, self._redis.address)
        except BusError as error:
            return Finding(name, False, error.reason, "see `Redis reachable` above")
        if found.durable:
            return Finding(name, True, found.reason)
        if self._dashboard.command_durability == "relaxed":
            return Finding(name, None, f"{found.reason} (COMMAND_DURABILITY=relaxed permits it)")
        advice = (
            "switch it on in Redis (appendonly yes; at once: CONFIG SET appendonly yes), or let "
            "the dashboard accept all the same (COMMAND_DURABILITY=relaxed)"
        )
        return Finding(name, False, f"no command is accepted: {found.reason}", advice)

    def bridge_fresh(self) -> Finding:
        """See that the bridge renews its status and holds an MQTT session."""
        name = "bridge fresh"
        first = self._status()
        if first is None:
            advice = "start it: mqtt-bridge (with the same Redis and REDIS_PREFIX)"
            return Finding(name, False, "no bridge renews its status", advice)
        end = time.monotonic() + WATCH_S
        while time.monotonic() < end:
            time.sleep(0.2)
            now = self._status()
            if now is not None and now.beat > first.beat:
                if now.connected:
                    return Finding(name, True, f"alive, {now.reason}")
                return Finding(name, False, f"alive, but {now.reason}", "see its log")
        return Finding(name, False, "its status stands still", "restart mqtt-bridge")

    def one_bridge(self) -> Finding:
        """See that nobody else connects under the bridge's client id."""
        name = "exactly one bridge client"
        before = self._status()
        time.sleep(WATCH_S)
        after = self._status()
        if before is None or after is None:
            return Finding(name, False, "there is none", "start it: mqtt-bridge")
        if after.connects != before.connects or not after.connected:
            return Finding(
                name,
                False,
                f"the session was lost {after.connects - before.connects} times in {WATCH_S:g} s: "
                f"{after.reason}",
                f"another program may use the client id {after.client_id}: give one of them "
                "another MQTT_CLIENT_ID",
            )
        listed = [one for one in self._clients() if one.get("client_id") == after.client_id]
        seen = " and is listed once by the broker" if len(listed) == 1 else ""
        return Finding(name, True, f"{after.client_id} keeps its one session{seen}")

    def stats(self) -> Finding:
        """Wait for statistics on the public channel."""
        name = "statistics through Redis"
        started = time.monotonic()
        document = self._hear(self._names.BROKER_STATS, STATS_WITHIN_S)
        if document is None:
            advice = "see `bridge fresh` above and the bridge's log"
            return Finding(name, False, f"none within {STATS_WITHIN_S:g} s", advice)
        took = time.monotonic() - started
        version = document.get("data", {}).get("version") or "a broker without $SYS"
        return Finding(name, True, f"after {took:.1f} s, from {version}")

    def there(self) -> Finding:
        """Publish at the broker and see the message in Redis."""
        name = "probe: broker to Redis"
        pubsub = connection.open_pubsub(self._client)
        try:
            with connection.plain_errors(self._redis.address), Probe(self._mqtt) as probe:
                pubsub.subscribe(self._names.MQTT_MESSAGES)
                started = time.monotonic()
                receipt = probe.publish(self._topic, b"there")
                while time.monotonic() - started < PROBE_WITHIN_S:
                    message = pubsub.get_message(timeout=0.2)
                    if _mentions(message, self._topic):
                        took = (time.monotonic() - started) * 1000
                        return Finding(name, True, f"arrived after {took:.0f} ms")
        except DashboardError as error:
            return Finding(name, False, str(error), "see the checks above")
        finally:
            pubsub.close()
        return Finding(
            name,
            False,
            f"published ({receipt.reason}), but not seen in Redis",
            "MQTT_TOPICS of the bridge must cover mqtt-dashboard/doctor/#, or be the default #",
        )

    def back(self) -> Finding:
        """Send a command through Redis and hear the message at the broker."""
        name = "probe: Redis to broker"
        command_id = f"doctor-{self._probe_id}"
        order = Order(topic=self._topic, payload=command_id.encode(), qos=1, patient=False)
        store = DashboardOrders(self._client, self._names, self._redis.address)
        try:
            with connection.plain_errors(self._redis.address), Probe(self._mqtt) as probe:
                refusal = probe.subscribe(self._topic)
                if refusal:
                    return Finding(name, False, refusal, "allow the account to subscribe")
                store.accept(
                    command_id, order, COMMAND_DEADLINE_S, None, PROBE_BOUNDS, PROBE_DURABILITY
                )
                record = _finished(store, command_id)
                acked = record is not None and record.state == "acked"
                heard = acked and probe.heard(command_id.encode(), PROBE_WITHIN_S)
        except DashboardError as error:
            return Finding(name, False, str(error), "see the checks above")
        if record is None or (record.state != "failed" and record.attempts == 0):
            advice = "start mqtt-bridge, or give both the same REDIS_PREFIX"
            return Finding(name, False, "no bridge takes commands", advice)
        if not heard:
            return Finding(name, False, f"{record.state}: {record.reason}", "see the bridge's log")
        return Finding(name, True, "published, confirmed and heard")

    def page(self) -> Finding:
        """Fetch the page and the health of the dashboard."""
        name = "dashboard serves"
        try:
            asked = urllib.request.Request(f"{self._url}/health", headers=self._headers)
            with urllib.request.urlopen(asked, timeout=5) as reply:
                health = json.load(reply)
            with urllib.request.urlopen(self._url, timeout=5) as reply:
                page = reply.read().decode("utf-8", "replace")
        except urllib.error.HTTPError as error:
            return Finding(name, False, f"{self._url} answers {error.code}", "see its log")
        except (OSError, ValueError) as error:
            advice = "start it: mqtt-dashboard serve; or give its address with --url"
            return Finding(name, False, f"{self._url}: {error}", advice)
        if 'id="app"' not in page:
            return Finding(name, False, "the page is not built", "run `make ui`")
        if health["status"] != "healthy":
            problems = "; ".join(health["problems"]) or health["status"]
            return Finding(name, False, f"{health['status']}: {problems}", "see the checks above")
        return Finding(name, True, f"page and health at {self._url}")

    def no_mqtt_in_dashboard(self) -> Finding:
        """See that the processes behind the dashboard's port hold no connection to the broker."""
        name = "dashboard holds no MQTT connection"
        found = connections_to(self._dashboard.port, self._mqtt.port or 1883)
        if found is None:
            detail = "cannot be seen from here: no process of this host listens on its port"
            return Finding(name, None, detail)
        if found:
            advice = "only mqtt-bridge may connect to the broker; report this as a defect"
            return Finding(name, False, f"{found} connections", advice)
        return Finding(name, True, "none")

    def _status(self) -> BridgeStatus | None:
        try:
            with connection.plain_errors(self._redis.address):
                document = self._client.get(self._names.bridge_status)
            return codec.decode(document, BridgeStatus) if isinstance(document, bytes) else None
        except (BusError, ContractError):
            return None

    def _clients(self) -> list[dict[str, Any]]:
        with connection.plain_errors(self._redis.address):
            document = self._client.get(self._names.latest(self._names.CLIENT_LIST))
        return list(json.loads(document)["clients"]) if isinstance(document, bytes) else []

    def _hear(self, channel: str, timeout: float) -> dict[str, Any] | None:
        pubsub = connection.open_pubsub(self._client)
        try:
            with connection.plain_errors(self._redis.address):
                pubsub.subscribe(channel)
                end = time.monotonic() + timeout
                while (left := end - time.monotonic()) > 0:
                    message = pubsub.get_message(timeout=min(left, 1.0))
                    if message and message["type"] == "message":
                        return dict(json.loads(message["data"]))
        except BusError:
            return None
        finally:
            pubsub.close()
        return None


def _mentions(message: dict[str, Any] | None, topic: str) -> bool:
    return bool(message and message["type"] == "message" and topic.encode() in message["data"])


def _finished(store: DashboardOrders, command_id: str) -> CommandRecord | None:
    """Wait a moment for the result of a command."""
    until = time.monotonic() + RESULT_WITHIN_S
    while True:
        record = store.records.one(command_id)
        if record is not None and record.phase == "queued" and time.time() > record.deadline:
            store.sweep(only=command_id)
        if record is None or record.finished_at is not None or time.monotonic() > until:
            return record
        time.sleep(0.05)
