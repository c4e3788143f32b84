"""The link for brokers that speak only MQTT 3.1.1, on paho-mqtt; see also `paho_client`.

paho parses and frames; the loop, the timers and the reconnects are ours, and every connection gets
a paho client of its own, so that paho never sends an old message again behind our back. What 3.1.1
cannot do is absent: no reason codes, no Retain As Published, no limit on what the broker sends (a
message above ``max_packet_size`` is read, left out and counted). A QoS 2 message is handed over
when the broker releases it, and PUBCOMP waits for its acknowledgement.
"""

import contextlib
import select
import time
from collections.abc import Callable
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode

from mqtt_dashboard.clock import Clock
from mqtt_dashboard.errors import LinkError
from mqtt_dashboard.mqtt import reasons
from mqtt_dashboard.mqtt.asking import Asking
from mqtt_dashboard.mqtt.client import Incoming, LinkOptions, Listener, Loss, Session, Wanted
from mqtt_dashboard.mqtt.liveness import Liveness
from mqtt_dashboard.mqtt.outbox import Limits, Outbox, Pending
from mqtt_dashboard.mqtt.packet_ids import PacketIds
from mqtt_dashboard.mqtt.paho_client import IN_FLIGHT, new_client
from mqtt_dashboard.mqtt.reasons import BrokerError, EndedError
from mqtt_dashboard.mqtt.receive_order import ReceiveOrder
from mqtt_dashboard.mqtt.socket_io import Stream, confirm, hang_up, hidden_bytes
from mqtt_dashboard.mqtt.sockets import WOULD_BLOCK
from mqtt_dashboard.mqtt.threaded_link import (
    LONGEST_WAIT_S,
    Conversation,
    ThreadedLink,
    no_turn,
)

BATCH: Final = 2_000
DENSE_MESSAGES: Final = 32
NAP_SECONDS: Final = 0.001
CLOSE_SECONDS: Final = 1.0

_PINGREQ: Final = b"\xc0\x00"
_OK: Final = MQTTErrorCode.MQTT_ERR_SUCCESS
_LOST: Final = (MQTTErrorCode.MQTT_ERR_CONN_LOST, MQTTErrorCode.MQTT_ERR_NO_CONN)


class PahoLink(ThreadedLink):
    """MQTT 3.1.1 over paho."""

    def __init__(self, options: LinkOptions, listener: Listener, clock: Clock) -> None:
        super().__init__(options, listener, clock)
        self._connections = 0

    def _converse(self) -> Conversation:
        self._connections += 1
        conversation = _PahoConversation(
            self.options, self.listener, self.clock, self._connections, self.take_close
        )
        conversation.turned = self.turned
        return conversation


class _PahoConversation(Conversation):
    def __init__(
        self,
        options: LinkOptions,
        listener: Listener,
        clock: Clock,
        connection: int,
        take_close: Callable[[], int | None],
    ) -> None:
        super().__init__(clock, no_turn)
        self._options = options
        self._listener = listener
        self._take_close = take_close
        self._client = new_client(options)
        self._order = ReceiveOrder(connection, receive_maximum=65_535)
        self.liveness = Liveness(options, clock.monotonic())
        self._received: list[paho.MQTTMessage] = []
        self._published: list[int] = []
        self._mids: dict[int, tuple[Pending, Callable[[], None]]] = {}
        self._pending: Pending | None = None
        self._opened_at: float | None = None
        self._answer_by = clock.monotonic() + options.answer_timeout
        self._dense = False
        limits = Limits(receive_maximum=IN_FLIGHT)
        self.outbox = Outbox(PacketIds(), self._prepare, self._send, limits)
        self.asking = Asking(
            self._subscribe, self._unsubscribe, lambda _mid: None, listener.on_granted
        )

    @property
    def open(self) -> bool:
        """Tell whether the broker accepted the connection."""
        return self._opened_at is not None

    def acknowledge(self, tokens: list[int]) -> None:
        """Acknowledge what is durable, in receive order."""
        for token in tokens:
            self._order.settle(token)
        for packet_id, qos in self._order.due():
            self._client.ack(packet_id, qos)

    @property
    def crowded(self) -> bool:
        """Tell whether too much is unconfirmed to read more."""
        return self._order.crowded

    def serve(self) -> Loss:
        """Run the connection to its end, then give everything back."""
        loss = Loss("the link ended without a reason")
        connection: Any = None
        try:
            try:
                self._connect()
                connection = self._client.socket()
                # Gone already, when the very CONNECT could not be written.
                self._check(_OK if connection else MQTTErrorCode.MQTT_ERR_CONN_LOST)
                loss = self._until_end(connection)
            except EndedError as ended:
                loss = ended.loss
            except LinkError as error:
                loss = Loss(error.reason)
            except OSError as error:
                loss = self._network_loss(error)
            return loss
        finally:
            if connection is not None:
                connection.close()
            self.waker.close()
            # What went out whole, or was confirmed, before it failed is not to be sent again.
            self._finish_published()
            self.outbox.close(loss.reason, self.clock.monotonic())

    def _connect(self) -> None:
        client, options = self._client, self._options
        client.on_connect = self._on_connect
        client.on_message = lambda _client, _data, message: self._received.append(message)
        client.on_publish = lambda _client, _data, mid, _code, _props: self._published.append(mid)
        client.on_subscribe = self._on_subscribe
        client.on_unsubscribe = self._on_unsubscribe
        client.connect(options.host, options.port, keepalive=options.keepalive)

    def _until_end(self, connection: Stream) -> Loss:
        poll = select.poll()
        poll.register(self.waker.fileno(), select.POLLIN)
        give_up: float | None = None
        code: int | None = None
        while True:
            self._turn(connection, poll, give_up)
            now = self.clock.monotonic()
            if give_up is None:
                code = self._take_close()
                give_up = None if code is None else now + CLOSE_SECONDS
            if give_up is not None and (now >= give_up or not self._busy()):
                break
        # 3.1.1 has no way to say goodbye and still have the will published: the socket just ends.
        if code == 0:
            self._client.disconnect()
            hang_up(connection)
        return Loss(reasons.CLOSED_BY_US)

    def _busy(self) -> bool:
        waiting = not self.outbox.empty or self._client.want_write() or self.asked
        return self.open and waiting

    def _turn(self, connection: Stream, poll: select.poll, at_most: float | None) -> None:
        self.turned()
        if self._dense:
            time.sleep(NAP_SECONDS)
        readable = self._wait(connection, poll, self._seconds(at_most))
        self.act()
        self.regulate()
        # While paused the socket is only watched for its end.
        if readable:
            self._read(connection)
        else:
            self._dense = False
        if self._client.want_write():
            self.liveness.sent(self.clock.monotonic())
            self._check(self._client.loop_write())
        self._finish_published()
        self._tick(self.clock.monotonic())

    def _seconds(self, at_most: float | None) -> float:
        if self._dense or self.asked:
            return 0.0
        times = [self.liveness.next_deadline() if self.open else self._answer_by, at_most]
        times += [self.asking.next_deadline(), self.outbox.next_deadline()]
        return max(0.0, min(t for t in times if t is not None) - self.clock.monotonic())

    def _wait(self, connection: Stream, poll: select.poll, seconds: float) -> bool:
        wanted = 0 if self.paused else select.POLLIN
        if self._client.want_write():
            wanted |= select.POLLOUT
        poll.register(connection, wanted)
        if not self.paused and hidden_bytes(connection):
            return True
        readable = False
        for descriptor, event in poll.poll(min(seconds, LONGEST_WAIT_S) * 1000):
            if descriptor == self.waker.fileno():
                self.waker.clear()
            else:
                readable = bool(event & ~select.POLLOUT)
        return readable

    def _read(self, connection: Stream) -> None:
        """Let paho read packets while each of them is a message, then hand over the batch."""
        packets, unfinished = self._client.packets, self._client.unfinished
        try:
            while True:
                before = len(self._received)
                self._check(self._parse())
                if len(self._received) == before or before >= BATCH:
                    break
        finally:
            self._hand_over()
        whole, partial = self._client.packets != packets, self._client.unfinished
        # A websocket may bring bytes that are none of MQTT's.
        if connection.fileno() >= 0 and (whole or partial != unfinished):
            self.liveness.received(self.clock.monotonic(), whole=whole, partial=partial)
            if not self._dense:
                confirm(connection)

    def _parse(self) -> MQTTErrorCode:
        try:
            return self._client.loop_read()
        except (OSError, EndedError):
            raise
        except BrokerError as mistake:
            raise EndedError(Loss(mistake.reason, mistake.code)) from mistake
        except Exception as error:
            reason = f"the broker sent a packet that cannot be read: {error!r}"
            raise EndedError(Loss(reason)) from error

    def _hand_over(self) -> None:
        received, self._received = self._received, []
        self._dense = len(received) >= DENSE_MESSAGES
        batch = [message for entry in received if (message := self._incoming(entry)) is not None]
        if batch:
            self._listener.on_messages(batch)
        self.acknowledge([])

    def _incoming(self, message: paho.MQTTMessage) -> Incoming | None:
        token = self._order.number(message.mid, message.qos) if message.qos else 0
        if message.qos == 2:
            self._order.release(message.mid)
        problem = None
        try:
            topic = message.topic
        except UnicodeDecodeError:
            problem = "a topic is not valid UTF-8"
        else:
            if not topic or "\0" in topic or "+" in topic or "#" in topic:
                problem = "a topic is empty or holds a wildcard or U+0000"
        if problem is None and len(message.payload) > self._options.max_packet_size:
            self._order.settle(token)
            self._listener.on_too_large(len(message.payload))
            return None
        if problem is not None:
            self._order.settle(token)
            self._listener.on_malformed(problem)
            return None
        payload = bytes(message.payload)
        return Incoming(topic, payload, message.qos, message.retain, message.dup, None, token)

    def _tick(self, now: float) -> None:
        if not self.open:
            if now >= self._answer_by:
                raise EndedError(Loss(f"{reasons.NO_ANSWER}: no CONNACK"))
            return
        if (lost := self.liveness.lost(now)) is not None:
            raise EndedError(Loss(lost))
        # paho pings by the keep alive only; between its packets the socket is ours.
        if not self._client.want_write() and self.liveness.ping_due(now):
            self._ping()
        self.asking.expire(now)
        if not self.outbox.empty:
            self.outbox.expire(now)
            self.outbox.pump(now)

    def _ping(self) -> None:
        connection = self._client.socket()
        if connection is not None:
            with contextlib.suppress(*WOULD_BLOCK):
                connection.send(_PINGREQ)

    def _check(self, code: MQTTErrorCode) -> None:
        if code == _OK:
            return
        if self.open and code in _LOST:
            raise EndedError(Loss(reasons.GONE))
        if self.open:
            reason = "the broker sent a packet that MQTT 3.1.1 does not allow"
            raise EndedError(Loss(reason, reasons.PROTOCOL_ERROR))
        if code == MQTTErrorCode.MQTT_ERR_PROTOCOL:
            reason = "the broker does not speak MQTT 3.1.1"
            raise EndedError(Loss(reason, 0x84, version_refused=True))
        raise EndedError(Loss(f"{reasons.GONE} before it answered"))

    def _network_loss(self, error: OSError) -> Loss:
        address = f"{self._options.host}:{self._options.port}"
        return Loss(reasons.network_error(error, address))

    def _on_connect(
        self, _client: object, _data: object, flags: Any, reason: Any, _properties: object
    ) -> None:
        if reason.value:
            raise EndedError(reasons.refusal(reason.value))
        now = self.clock.monotonic()
        self._opened_at = now
        self.liveness.received(now)
        session = Session(
            protocol="3.1.1",
            session_present=bool(flags.session_present),
            subscription_ids_available=False,
        )
        self._listener.on_open(session)

    def _subscribe(self, wanted: list[Wanted]) -> int | None:
        filters: list[tuple[str, int]] = [(entry.filter, min(entry.qos, 1)) for entry in wanted]
        code, mid = self._client.subscribe(filters)
        return mid if code == _OK else None

    def _unsubscribe(self, filters: list[str]) -> int | None:
        code, mid = self._client.unsubscribe(filters)
        return mid if code == _OK else None

    def _on_subscribe(
        self, _client: object, _data: object, mid: int, codes: list[Any], _properties: object
    ) -> None:
        values = [code.value for code in codes]
        self.asking.answered(mid, values, "the broker gives no reason", subscribing=True)

    def _on_unsubscribe(
        self, _client: object, _data: object, mid: int, _codes: object, _properties: object
    ) -> None:
        self.asking.answered(mid, None, None, subscribing=False)

    def _prepare(self, entry: Pending) -> bytes:
        self._pending = entry
        return b""

    def _send(self, _packet: bytes, finish: Callable[[], None]) -> bool:
        entry = self._pending
        if entry is None or self._client.want_write():
            return False
        message = entry.message
        info = self._client.publish(
            message.topic, message.payload, message.qos, retain=message.retain
        )
        self._mids[info.mid] = (entry, finish)
        if message.qos:
            finish()
        self._finish_published()
        return True

    def _finish_published(self) -> None:
        """Take paho's word for what was written (QoS 0) or confirmed (QoS 1 and 2)."""
        published, self._published = self._published, []
        for mid in published:
            entry, finish = self._mids.pop(mid, (None, None))
            if entry is None or finish is None:
                continue
            if entry.message.qos == 0:
                finish()
            elif entry.message.qos == 1:
                self.outbox.on_puback(entry.packet_id, 0, None)
            else:
                self.outbox.on_pubrec(entry.packet_id, 0, None)
                self.outbox.on_pubcomp(entry.packet_id, 0, None)
