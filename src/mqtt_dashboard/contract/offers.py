"""What a broker offers about its clients, and the parts of the client documents.

``None`` (``null``) is always "not known", never "no".
"""

from msgspec import Struct, field


class HeldFilter(Struct, kw_only=True, frozen=True):
    """A filter a client holds, with the QoS it asked for."""

    filter: str
    qos: int


class AccountInfo(Struct, kw_only=True, frozen=True):
    """An account of the broker's access control. It names a user, not a connection.

    ``client_id`` is the one client id the account is bound to, ``connections`` the number of
    connections the broker counts for it, ``addresses`` where these come from.
    """

    username: str
    client_id: str | None = None
    text_name: str | None = None
    disabled: bool | None = None
    roles: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    connections: int | None = None
    addresses: list[str] = field(default_factory=list)


class Capabilities(Struct, kw_only=True, frozen=True):
    """What can be had from this broker as it is set up now: true, false, or not known yet.

    ``broker`` names the family in words, ``clients_from`` how its clients are learned. ``kick``:
    whether the bridge can make the broker end a connection. ``hints`` says for each capability that
    is not there what to switch on in this broker.
    """

    broker: str
    clients_from: str | None = None
    statistics: bool | None = None
    load_averages: bool | None = None
    retained_count: bool | None = None
    client_names: bool | None = None
    client_addresses: bool | None = None
    client_subscriptions: bool | None = None
    disconnect_reasons: bool | None = None
    kick: bool | None = None
    dynamic_security: bool | None = None
    hints: dict[str, str] = field(default_factory=dict)
