"""The protocol of one MQTT 5 connection, without socket, thread or waiting.

Takes bytes, answers with bytes and with calls to the listener. The loop around it is `v5.V5Link`.
"""

from collections.abc import Callable
from typing import Final

import mqtt5

from mqtt_dashboard.clock import Clock
from mqtt_dashboard.logs import get
from mqtt_dashboard.mqtt import reasons, v5_packets
from mqtt_dashboard.mqtt.asking import Asking
from mqtt_dashboard.mqtt.client import LinkOptions, Listener, Loss, Outgoing, Session, Wanted
from mqtt_dashboard.mqtt.liveness import Liveness
from mqtt_dashboard.mqtt.outbox import Limits, Outbox, Send
from mqtt_dashboard.mqtt.packet_ids import PacketIds
from mqtt_dashboard.mqtt.reasons import MALFORMED, BrokerError, EndedError
from mqtt_dashboard.mqtt.receive_order import ReceiveOrder
from mqtt_dashboard.mqtt.v5_frames import Decoder

_CONNACK: Final = 0x20
_DISCONNECT: Final = 0xE0
_PINGRESP: Final = b"\xd0\x00"

_log = get(__name__)


class V5Session:
    """State from CONNECT to the end of the connection; lives on the link's thread.

    ``queue`` takes bytes for the socket, ``send`` begins to send a message if the way is free.
    """

    def __init__(
        self,
        options: LinkOptions,
        listener: Listener,
        clock: Clock,
        *,
        connection: int,
        ids: PacketIds,
        queue: Callable[[bytes], None],
        send: Send,
    ) -> None:
        self.open = False
        self.touched = False
        self._options = options
        self._listener = listener
        self._clock = clock
        self._ids = ids
        self._queue = queue
        self._order = ReceiveOrder(connection, options.receive_maximum)
        self._decoder = Decoder(
            options.max_packet_size,
            number=self._order.number,
            settle=self._order.settle,
            control=self._control,
            left_out=listener.on_malformed,
            too_large=listener.on_too_large,
        )
        now = clock.monotonic()
        self._answer_by = now + options.answer_timeout
        self.liveness = Liveness(options, now)
        self.asking = Asking(self._subscribe, self._unsubscribe, ids.give_back, listener.on_granted)
        self.outbox = Outbox(ids, lambda entry: self._write(entry.message, entry.packet_id), send)
        self.outbox.send_release = lambda packet_id: queue(v5_packets.pubrel(packet_id, known=True))

    @property
    def skipped(self) -> int:
        """Return how many bytes have come of a message that is being left out."""
        return self._decoder.skipped

    @property
    def crowded(self) -> bool:
        """Tell whether so much is unconfirmed that nothing more should be read for now."""
        return self._order.crowded

    def greet(self) -> None:
        """Send CONNECT."""
        self._queue(v5_packets.connect(self._options))

    def take(self, data: bytes) -> tuple[int, int]:
        """Read received bytes; all their messages go to the listener as one batch."""
        self.touched = True
        if not self.open and data[0] != _CONNACK:
            raise EndedError(Loss(reasons.NOT_A_BROKER))
        try:
            return self._decoder.decode(data)
        finally:
            batch = self._decoder.batch
            if batch:
                self._decoder.batch = []
                self._listener.on_messages(batch)
            self.acknowledge([])

    def acknowledge(self, tokens: list[int]) -> None:
        """Send the acknowledgements that are due."""
        for token in tokens:
            self._order.settle(token)
        if due := self._order.due():
            self._queue(v5_packets.acknowledgements(due))

    def tick(self, now: float) -> None:
        """Do what is due; raise `EndedError` when the broker is silent for too long."""
        if not self.open:
            if now >= self._answer_by:
                raise EndedError(Loss(f"{reasons.NO_ANSWER}: no CONNACK"))
            return
        if (lost := self.liveness.lost(now)) is not None:
            raise EndedError(Loss(lost))
        if self.liveness.ping_due(now):
            self._queue(v5_packets.PING)
        self.asking.expire(now)
        if not self.outbox.empty:
            self.outbox.expire(now)
            self.outbox.pump(now)

    def next_deadline(self) -> float:
        """Return when `tick` must be called again."""
        if not self.open:
            return self._answer_by
        times = [self.asking.next_deadline(), self.outbox.next_deadline()]
        return min([self.liveness.next_deadline(), *(time for time in times if time is not None)])

    def _write(self, message: Outgoing, packet_id: int) -> bytes:
        if message.resume == "release":
            return v5_packets.pubrel(packet_id, known=True)
        return v5_packets.publish(message, packet_id, self._clock.monotonic())

    def _subscribe(self, wanted: list[Wanted]) -> int | None:
        packet_id = self._ids.take()
        if packet_id is not None:
            self._queue(v5_packets.subscribe(packet_id, wanted))
        return packet_id

    def _unsubscribe(self, filters: list[str]) -> int | None:
        packet_id = self._ids.take()
        if packet_id is not None:
            self._queue(v5_packets.unsubscribe(packet_id, filters))
        return packet_id

    def _control(self, head: int, frame: bytes) -> None:
        if frame == _PINGRESP:
            return
        kind = head & 0xF0
        if kind == _CONNACK and self.open:
            raise BrokerError("the broker sent CONNACK twice")
        if kind == _DISCONNECT and len(frame) > 2:
            raise EndedError(reasons.goodbye(frame[2], _reason_text(frame)))
        if kind == _CONNACK:
            self._on_connack(frame)
        else:
            self._on_packet(v5_packets.read(frame))

    def _on_connack(self, frame: bytes) -> None:
        # The answer of a broker that knows MQTT 3.1.1 only has no properties.
        if len(frame) == 4 and frame[3]:
            code = frame[3]
            raise EndedError(reasons.old_refusal(code) if code < 0x80 else reasons.refusal(code))
        if len(frame) < 5:
            raise BrokerError("the broker sent a CONNACK that is cut off", MALFORMED)
        if frame[3]:
            raise EndedError(reasons.refusal(frame[3], _reason_text(frame)))
        packet = v5_packets.read(frame)
        assert isinstance(packet, mqtt5.ConnAckPacket)
        self._ids.new_connection(session_present=packet.session_present)
        self.outbox.limits = Limits(
            receive_maximum=packet.receive_max,
            maximum_qos=int(packet.max_qos),
            retain_available=packet.retain_available,
            max_packet_size=packet.max_packet_size,
        )
        session = Session(
            protocol="5.0",
            session_present=packet.session_present,
            maximum_qos=int(packet.max_qos),
            retain_available=packet.retain_available,
            wildcards_available=packet.wildcard_subscription_available,
            shared_available=packet.shared_subscription_available,
            subscription_ids_available=packet.subscription_id_available,
        )
        self.asking.session = session
        self.asking.max_packet_size = packet.max_packet_size
        if packet.server_keep_alive is not None:
            self.liveness.keepalive = float(packet.server_keep_alive)
        self.liveness.received(self._clock.monotonic())
        self.open = True
        self._listener.on_open(session)

    def _on_packet(self, packet: mqtt5.Packet) -> None:
        known = True
        if getattr(packet, "packet_id", None) == 0:
            raise BrokerError("the broker answered to packet id 0, which is no packet's")
        match packet:
            case mqtt5.PubAckPacket():
                known = self.outbox.on_puback(
                    packet.packet_id, int(packet.reason_code), packet.reason_str
                )
            case mqtt5.PubRecPacket():
                code = int(packet.reason_code)
                due = self.outbox.on_pubrec(packet.packet_id, code, packet.reason_str)
                # None: the owner has to write it down first, and releases it then.
                if due or (due is not None and code < 0x80):
                    self._queue(v5_packets.pubrel(packet.packet_id, known=due))
            case mqtt5.PubCompPacket():
                known = self.outbox.on_pubcomp(
                    packet.packet_id, int(packet.reason_code), packet.reason_str
                )
            case mqtt5.PubRelPacket():
                known = self._order.release(packet.packet_id)
                self._queue(v5_packets.pubcomp(packet.packet_id, known=known))
            case mqtt5.SubAckPacket() | mqtt5.UnsubAckPacket():
                self.asking.answered(
                    packet.packet_id,
                    [int(code) for code in packet.reason_codes],
                    packet.reason_str,
                    subscribing=isinstance(packet, mqtt5.SubAckPacket),
                )
            case mqtt5.DisconnectPacket():
                raise EndedError(reasons.goodbye(0))
            case _:
                name = type(packet).__name__.removesuffix("Packet").upper()
                raise BrokerError(f"the broker sent {name}, which is for clients to send")
        if not known:
            _log.debug("mqtt.unexpected_packet", packet=type(packet).__name__)


def _reason_text(frame: bytes) -> str | None:
    """Return the broker's own words, if the packet can be read at all."""
    try:
        packet = v5_packets.read(frame)
    except BrokerError:
        return None
    text = getattr(packet, "reason_str", None)
    return text if isinstance(text, str) else None
