"""Reason codes of MQTT and errors of the network, said in plain words for the operator.

Source of the codes: MQTT 5.0, 2.4, and MQTT 3.1.1, table 3.1.
"""

import socket
import ssl
from typing import Final

from mqtt_dashboard.mqtt.client import Loss

NO_ANSWER: Final = "the broker does not answer"
TOO_SLOW: Final = "the broker sends too slowly"
CLOSED_BY_US: Final = "closed by us"
NOT_A_BROKER: Final = "what answers there is not an MQTT broker"
GONE: Final = "the broker closed the connection"

MALFORMED: Final = 0x81
PROTOCOL_ERROR: Final = 0x82
TAKEN_OVER: Final = 0x8E
UNSUPPORTED_VERSION: Final = 0x84

_WORDS: Final = {
    0x10: "no client is subscribed to this topic",
    0x11: "there was no such subscription",
    0x80: "unspecified error",
    0x81: "malformed packet",
    0x82: "protocol error",
    0x83: "the broker refuses this for a reason of its own",
    0x84: "the broker does not speak this version of MQTT",
    0x85: "the client id is refused",
    0x86: "bad user name or password",
    0x87: "not authorised",
    0x88: "the broker is unavailable",
    0x89: "the broker is busy",
    0x8A: "this client is banned",
    0x8B: "the broker is shutting down",
    0x8C: "bad authentication method",
    0x8D: "keep alive time-out",
    0x8E: "another client connected with the same client id",
    0x8F: "the filter is invalid",
    0x90: "the topic is invalid",
    0x91: "the packet id is in use",
    0x92: "the packet id is unknown",
    0x93: "more messages in flight than allowed",
    0x94: "the topic alias is invalid",
    0x95: "the packet is too large",
    0x96: "the message rate is too high",
    0x97: "a quota is exceeded",
    0x98: "administrative action",
    0x99: "the payload does not fit its declared format",
    0x9A: "the broker keeps no retained messages",
    0x9B: "the broker does not support this QoS",
    0x9C: "use another server",
    0x9D: "the server has moved",
    0x9E: "the broker does not support shared subscriptions",
    0x9F: "the broker limits the rate of connections",
    0xA0: "the longest time of a connection is reached",
    0xA1: "the broker does not support subscription identifiers",
    0xA2: "the broker does not support wildcards in filters",
}

# Trying again with the same settings cannot help.
_FINAL: Final = {0x85, 0x86, 0x87, 0x8A, 0x8C}

_OLD_CODES: Final = {1: 0x84, 2: 0x85, 3: 0x88, 4: 0x86, 5: 0x87}


class BrokerError(Exception):
    """The broker broke the protocol; the connection ends with reason ``code``."""

    def __init__(self, reason: str, code: int = PROTOCOL_ERROR) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


class EndedError(Exception):
    """The connection ended; ``loss`` says how."""

    def __init__(self, loss: Loss) -> None:
        super().__init__(loss.reason)
        self.loss = loss


def words(code: int, text: str | None = None) -> str:
    """Say a reason code in words, with the broker's own text when it sent one."""
    known = _WORDS.get(code, f"reason code 0x{code:02X}")
    return f"{known} ({text})" if text else known


def refusal(code: int, text: str | None = None) -> Loss:
    """Return the loss for a CONNACK of MQTT 5 that is not a success."""
    if code == UNSUPPORTED_VERSION:
        return Loss(words(code, text), code, version_refused=True)
    return Loss(
        f"the broker refused the connection: {words(code, text)}", code, final=code in _FINAL
    )


def old_refusal(code: int) -> Loss:
    """Return the loss for a CONNACK of MQTT 3.1.1 that is not a success."""
    return refusal(_OLD_CODES.get(code, 0x80))


def goodbye(code: int, text: str | None = None) -> Loss:
    """Return the loss for a DISCONNECT sent by the broker."""
    if code == 0:
        return Loss(GONE, code)
    reason = f"the broker ended the connection: {words(code, text)}"
    return Loss(reason, code, taken_over=code == TAKEN_OVER)


def network_error(error: OSError, address: str) -> str:
    """Say why the broker could not be reached or was lost."""
    if isinstance(error, FileNotFoundError | PermissionError) and error.filename:
        return f"cannot read {error.filename}: {error.strerror}"
    detail = getattr(error, "verify_message", None) or getattr(error, "reason", None)
    detail = detail or error.strerror or str(error)
    for kind, sentence in _NETWORK:
        if isinstance(error, kind):
            return sentence.format(address=address, detail=detail)
    return f"{address} cannot be reached: {detail}"


# The first that fits; an error of TLS is also an OSError.
_NETWORK: Final = (
    (ssl.SSLCertVerificationError, "the certificate of {address} is not trusted: {detail}"),
    (ssl.SSLError, "TLS with {address} failed: {detail}"),
    (socket.gaierror, "the host name of {address} is unknown: {detail}"),
    (TimeoutError, "{address} does not answer in time"),
    (ConnectionRefusedError, "{address} refuses the connection: nothing listens there"),
    (ConnectionError, f"{GONE} without a word"),
)
