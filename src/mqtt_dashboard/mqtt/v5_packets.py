"""The one place that touches the MQTT 5 codec: packets we send, packets of the broker we read."""

from struct import Struct
from typing import Final

import mqtt5

from mqtt_dashboard.contract.messages import MessageProperties
from mqtt_dashboard.mqtt.client import LinkOptions, Outgoing, Wanted
from mqtt_dashboard.mqtt.reasons import MALFORMED, BrokerError
from mqtt_dashboard.mqtt.v5_frames import TOPIC_ALIASES, remaining_length
from mqtt_dashboard.mqtt.v5_properties import UnreadableError, check_texts

PING: Final = mqtt5.PingReqPacket().write()

_PUBACK: Final = 0x40
_PUBREC: Final = 0x50
_short_packet = Struct(">BBH").pack
_QOS: Final = (mqtt5.QoS.AT_MOST_ONCE, mqtt5.QoS.AT_LEAST_ONCE, mqtt5.QoS.EXACTLY_ONCE)
_LONGEST_EXPIRY: Final = 0xFFFFFFFF


def read(frame: bytes) -> mqtt5.Packet:
    """Read one whole packet of the broker; raise `BrokerError` when it is malformed."""
    try:
        check_texts(frame, remaining_length(frame, 0)[1])
        return mqtt5.read(memoryview(frame))[0]
    except (IndexError, ValueError, UnreadableError) as error:
        raise BrokerError(f"the broker sent a malformed packet: {error}", MALFORMED) from error
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        # Should text that is not UTF-8 get here after all: the codec's panic is no Exception.
        if type(error).__name__ != "PanicException":
            raise
        raise BrokerError("the broker sent a malformed packet", MALFORMED) from None


def connect(options: LinkOptions) -> bytes:
    """Return the CONNECT packet that resumes the session."""
    will = options.will
    return mqtt5.ConnectPacket(
        options.client_id,
        username=options.username,
        password=None if options.password is None else options.password.encode(),
        clean_start=False,
        will=None
        if will is None
        else mqtt5.Will(will.topic, payload=will.payload, qos=_QOS[will.qos], retain=will.retain),
        keep_alive=options.keepalive,
        session_expiry_interval=options.session_expiry,
        receive_max=options.receive_maximum,
        # No Maximum Packet Size: see `v5_frames.Decoder`, which leaves large messages out itself.
        topic_alias_max=TOPIC_ALIASES,
    ).write()


def publish(message: Outgoing, packet_id: int, now: float) -> bytes:
    """Return the PUBLISH packet; it expires at the broker when the message's deadline passes."""
    properties = message.properties or MessageProperties()
    seconds = max(1, round(min(message.deadline - now, _LONGEST_EXPIRY)))
    # A retained message is a value to keep; its deadline is about sending, not about keeping.
    expiry = properties.message_expiry_interval or (None if message.retain else seconds)
    return mqtt5.PublishPacket(
        message.topic,
        message.payload,
        qos=_QOS[message.qos],
        retain=message.retain,
        packet_id=packet_id or None,
        duplicate=message.resume == "publish",
        payload_format_indicator=properties.payload_format_indicator or 0,
        message_expiry_interval=expiry,
        content_type=properties.content_type,
        response_topic=properties.response_topic,
        correlation_data=properties.correlation_data,
        user_properties=properties.user_properties or None,
    ).write()


def acknowledgements(received: list[tuple[int, int]]) -> bytes:
    """Return PUBACK (QoS 1) or PUBREC (QoS 2) for each packet id, in order."""
    return b"".join(
        _short_packet(_PUBREC if qos == 2 else _PUBACK, 2, packet_id) for packet_id, qos in received
    )


def pubcomp(packet_id: int, *, known: bool) -> bytes:
    """Return the answer to a PUBREL."""
    code = mqtt5.PubCompReasonCode.SUCCESS if known else mqtt5.PubCompReasonCode.PACKET_ID_NOT_FOUND
    return mqtt5.PubCompPacket(packet_id, reason_code=code).write()


def pubrel(packet_id: int, *, known: bool) -> bytes:
    """Return the answer to a PUBREC."""
    code = mqtt5.PubRelReasonCode.SUCCESS if known else mqtt5.PubRelReasonCode.PACKET_ID_NOT_FOUND
    return mqtt5.PubRelPacket(packet_id, reason_code=code).write()


def subscribe(packet_id: int, wanted: list[Wanted]) -> bytes:
    """Return a SUBSCRIBE packet that keeps the publishers' retain flag (Retain As Published).

    A packet has one subscription identifier for all its filters: those in it share theirs.
    """
    handling = mqtt5.RetainHandling
    filters = [
        mqtt5.TopicFilter(
            entry.filter,
            # QoS 2 would keep phases of a message in memory on both sides for no gain here.
            max_qos=_QOS[min(entry.qos, 1)],
            retain_as_published=entry.retain_as_published,
            retain_handling=handling.SEND_ALWAYS if entry.retained else handling.SEND_NEVER,
        )
        for entry in wanted
    ]
    identifier = wanted[0].identifier or None
    return mqtt5.SubscribePacket(packet_id, filters, subscription_id=identifier).write()


def unsubscribe(packet_id: int, filters: list[str]) -> bytes:
    """Return an UNSUBSCRIBE packet."""
    return mqtt5.UnsubscribePacket(packet_id, filters).write()


def disconnect(code: int) -> bytes:
    """Return a DISCONNECT packet."""
    return mqtt5.DisconnectPacket(reason_code=mqtt5.DisconnectReasonCode(code)).write()
