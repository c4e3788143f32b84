"""The accounts of mosquitto's dynamic security plugin, asked for through the bridge's link.

They are user names, not client ids: one account may have no connection or many. Asking needs an
account that may administer the broker, so it is done only when the operator has switched it on.
Every question carries a token nobody else knows, so no other program's answer is mistaken for it.
"""

import secrets
import threading
from dataclasses import dataclass
from typing import Annotated, Any, Final, Protocol

import msgspec
from msgspec import Meta, Struct

from mqtt_dashboard.bridge.client_record import shortened
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract.offers import AccountInfo
from mqtt_dashboard.errors import DashboardError
from mqtt_dashboard.mqtt.client import Outcome, Outgoing, Receipt

CONTROL_TOPIC: Final = "$CONTROL/dynamic-security/v1"
PAGE: Final = 100
MAX_ACCOUNTS: Final = 1000
MAX_PARTS: Final = 50
ANSWER_S: Final = 10.0
_TEXT: Final = 256
_LARGEST: Final = 4 * 1024 * 1024

_OFF: Final = (
    "accounts are not asked for: set MQTT_DYNSEC=on if the broker has the dynamic security plugin"
)
_SILENT: Final = (
    "the broker does not answer on $CONTROL/dynamic-security/v1: is the dynamic security plugin "
    "loaded, and may the bridge's account send to and receive from $CONTROL/dynamic-security/#?"
)


class PublishingLink(Protocol):
    """The part of a link that is needed here."""

    def publish(self, message: Outgoing) -> None:
        """Queue a message."""


@dataclass(frozen=True)
class AccountList:
    """What is known of the accounts; ``answered``: the plugin is there (None: not asked yet)."""

    accounts: list[AccountInfo] | None
    total: int | None
    hint: str | None
    answered: bool | None


class _Name(Struct):
    rolename: str | None = None
    groupname: str | None = None
    address: str | None = None


class _Client(Struct):
    username: str
    clientid: str | None = None
    textname: str | None = None
    disabled: bool | None = None
    roles: list[_Name] = []
    groups: list[_Name] = []
    connections: list[_Name] | None = None


class _Data(Struct):
    total: Annotated[int, Meta(ge=0, le=2**53)] = msgspec.field(default=0, name="totalCount")
    clients: list[_Client] = []


class _Response(Struct):
    command: str = ""
    data: _Data | None = None
    error: str | None = None
    token: str | None = msgspec.field(default=None, name="correlationData")


class _Answer(Struct):
    responses: list[msgspec.Raw] = []


_answers = msgspec.json.Decoder(_Answer)
_responses = msgspec.json.Decoder(_Response)


class Accounts:
    """Asks for the accounts page by page and keeps the last whole answer."""

    def __init__(self, clock: Clock, *, enabled: bool) -> None:
        self.enabled = enabled
        self._clock = clock
        self._lock = threading.Lock()
        self._link: PublishingLink | None = None
        self._token = ""
        self._asked_at: float | None = None
        self._coming: list[AccountInfo] = []
        self._kept: list[AccountInfo] | None = None
        self._total: int | None = None
        self._problem: str | None = None
        self._refused: str | None = None
        self._answered: bool | None = None

    def begin(self) -> None:
        """Start over with a new connection, which may lead to another broker."""
        with self._lock:
            self._token, self._asked_at = "", None
            self._kept, self._total, self._problem, self._answered = None, None, None, None

    def ask(self, link: PublishingLink) -> None:
        """Ask for the first page, unless asking is switched off."""
        if not self.enabled:
            return
        with self._lock:
            self._link = link
            self._coming, self._refused = [], None
            self._ask(0)

    def take(self, payload: bytes) -> None:
        """Read a message of the response topic; what is not the answer to a question is ignored."""
        with self._lock:
            if not self._token or len(payload) > _LARGEST:
                return
            try:
                for raw in _answers.decode(payload).responses:
                    if self._token.encode() in bytes(raw):
                        self._read(_responses.decode(raw))
                        return
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                self._fail(f"the broker's answer cannot be read: {error}"[:_TEXT])

    def now(self) -> AccountList:
        """Return what is known at the moment."""
        if not self.enabled:
            return AccountList(None, None, _OFF, None)
        with self._lock:
            waited = self._asked_at is not None and self._clock.monotonic() - self._asked_at
            if waited and waited > ANSWER_S:
                self._fail(_SILENT)
            return AccountList(self._kept, self._total, self._problem, self._answered)

    def _ask(self, offset: int) -> None:
        self._token = secrets.token_hex(8)
        self._asked_at = self._clock.monotonic()
        command: dict[str, Any] = {
            "command": "listClients",
            "verbose": True,
            "count": PAGE,
            "offset": offset,
            "correlationData": self._token,
        }
        question = Outgoing(
            topic=CONTROL_TOPIC,
            payload=msgspec.json.encode({"commands": [command]}),
            qos=1,
            retain=False,
            deadline=self._asked_at + ANSWER_S,
            done=self._sent,
        )
        try:
            if self._link is not None:
                self._link.publish(question)
        except DashboardError as error:
            self._fail(f"the broker could not be asked: {error}"[:_TEXT])

    def _sent(self, receipt: Receipt) -> None:
        """Note how the publish ended; called by the link, which may hold the lock already."""
        if receipt.outcome is Outcome.FAILED:
            self._refused = f"the broker refused the question: {receipt.reason}"[:_TEXT]

    def _read(self, response: _Response) -> None:
        if response.token != self._token or response.command != "listClients":
            return
        if response.error is not None or response.data is None:
            self._fail(f"the broker refused: {response.error or 'no data'}"[:_TEXT])
            return
        page = response.data.clients[:PAGE]
        self._coming += [_account(one) for one in page]
        done = not page or len(self._coming) >= min(response.data.total, MAX_ACCOUNTS)
        if not done:
            self._ask(len(self._coming))
            return
        self._token, self._asked_at = "", None
        self._kept = self._coming[:MAX_ACCOUNTS]
        self._total, self._problem, self._answered = response.data.total, None, True

    def _fail(self, problem: str) -> None:
        self._token, self._asked_at = "", None
        self._problem, self._answered = self._refused or problem, False
        self._kept, self._total = None, None


def _account(one: _Client) -> AccountInfo:
    names = [role.rolename for role in one.roles[:MAX_PARTS] if role.rolename]
    groups = [group.groupname for group in one.groups[:MAX_PARTS] if group.groupname]
    peers = one.connections
    addresses = [peer.address for peer in (peers or [])[:MAX_PARTS] if peer.address]
    return AccountInfo(
        username=_short(one.username),
        client_id=shortened(one.clientid, _TEXT),
        text_name=shortened(one.textname, _TEXT),
        # The plugin mentions only that an account is disabled.
        disabled=bool(one.disabled),
        roles=[_short(name) for name in names],
        groups=[_short(name) for name in groups],
        connections=None if peers is None else len(peers),
        addresses=[_short(address) for address in addresses],
    )


def _short(text: str) -> str:
    return text if len(text) <= _TEXT else text[:_TEXT] + "…"
