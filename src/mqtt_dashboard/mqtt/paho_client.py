"""A paho client on a connection of ours, with what paho leaves out of MQTT 3.1.1."""

from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from mqtt_dashboard.mqtt.client import LinkOptions, Loss
from mqtt_dashboard.mqtt.reasons import NOT_A_BROKER, EndedError
from mqtt_dashboard.mqtt.socket_io import Stream, open_stream

IN_FLIGHT: Final = 20

_CONNACK: Final = 0x20


class LinkClient(paho.Client):
    """paho's own socket leaks when TLS fails; websockets are ours too, so that both links agree.

    ``packets`` counts those received. Its private names are pinned by the tests of odd brokers.
    """

    def __init__(self, options: LinkOptions, **settings: Any) -> None:
        super().__init__(CallbackAPIVersion.VERSION2, **settings)
        self.packets = 0
        self._link_options = options

    @property
    def unfinished(self) -> int:
        """Return how many bytes of an incomplete packet are here."""
        return bool(self._in_packet["command"]) + len(self._in_packet["packet"])

    def _packet_handle(self) -> MQTTErrorCode:
        if not self.packets and self._in_packet["command"] & 0xF0 != _CONNACK:
            raise EndedError(Loss(NOT_A_BROKER))
        self.packets += 1
        return super()._packet_handle()

    def _handle_pubrel(self) -> MQTTErrorCode:
        # Of an earlier connection, or a second time: nothing is handed over that would be
        # acknowledged later, and without an answer the exchange would stay open for ever.
        packet_id = int.from_bytes(self._in_packet["packet"][:2])
        known = packet_id in self._in_messages
        code = super()._handle_pubrel()
        return self._send_pubcomp(packet_id) if code == 0 and not known else code

    def _create_socket(self) -> Stream:
        return open_stream(self._link_options)


def new_client(options: LinkOptions) -> LinkClient:
    """Return a client that keeps its session and acknowledges only when told."""
    client = LinkClient(
        options,
        client_id=options.client_id,
        clean_session=False,
        protocol=MQTTProtocolVersion.MQTTv311,
        reconnect_on_failure=False,
        manual_ack=True,
    )
    client.max_inflight_messages_set(IN_FLIGHT)
    if options.username is not None:
        client.username_pw_set(options.username, options.password)
    if options.will is not None:
        will = options.will
        client.will_set(will.topic, will.payload, will.qos, retain=will.retain)
    return client
