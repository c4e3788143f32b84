"""Settings of both services, read once from the environment at start and passed down.

Every secret can also be given as ``<NAME>_FILE``, a file that holds it. All problems are reported
at once, in plain words, and the process exits with status 2.
"""

import os
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeVar
from urllib.parse import urlsplit

import msgspec
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode

from mqtt_dashboard import broker_url
from mqtt_dashboard.config_auth import AUTH_SECRETS, AuthMode, AuthSettings
from mqtt_dashboard.config_base import Settings, split_list
from mqtt_dashboard.config_bridge import BridgeSettings
from mqtt_dashboard.config_cli import CLI_SECRETS, CliSettings
from mqtt_dashboard.config_page import PageSettings
from mqtt_dashboard.contract import topics
from mqtt_dashboard.contract.channels import DEFAULT_PREFIX
from mqtt_dashboard.errors import ConfigError, TopicError
from mqtt_dashboard.secret_files import with_secret_files

SettingsT = TypeVar("SettingsT", bound=BaseSettings)

SECRETS = (
    "MQTT_USERNAME",
    "MQTT_PASSWORD",
    "MQTT_URL",
    "REDIS_PASSWORD",
    "REDIS_URL",
    "EMQX_API_KEY",
    "EMQX_API_SECRET",
    *AUTH_SECRETS,
    *CLI_SECRETS,
)
LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_CLIENT_ID = re.compile(r"\A[^\x00-\x1f\x7f]{1,256}\Z")


Port = Annotated[int, Field(ge=1, le=65535)]


class MqttSettings(Settings):
    """The broker and how to greet it."""

    host: str = Field("localhost", alias="MQTT_BROKER_HOST", description="Broker's host name.")
    port: Port | None = Field(
        None,
        alias="MQTT_BROKER_PORT",
        description="Broker's port (1883, with TLS 8883; websockets 80, with TLS 443).",
    )
    username: str | None = Field(None, alias="MQTT_USERNAME", description="User name.")
    password: SecretStr | None = Field(None, alias="MQTT_PASSWORD", description="Password.")
    url: SecretStr | None = Field(
        None,
        alias="MQTT_URL",
        description="mqtt://user:password@host:port, mqtts://…, ws://…/path or wss://…; "
        "wins over the parts.",
    )
    client_id: str = Field(
        "mqtt-bridge-service", alias="MQTT_CLIENT_ID", description="Client id of the bridge."
    )
    protocol: Literal["auto", "5", "3.1.1"] = Field(
        "auto", alias="MQTT_PROTOCOL", description="auto, 5 or 3.1.1; auto tries 5 first."
    )
    topics: Annotated[list[str], NoDecode] = Field(
        ["#"],
        alias="MQTT_TOPICS",
        description="Filters always watched: separated by commas, or a JSON list.",
    )
    transport: broker_url.Transport = Field(
        "tcp", alias="MQTT_TRANSPORT", description="tcp or websockets."
    )
    ws_path: str = Field(
        "/mqtt", alias="MQTT_WS_PATH", description="Path of the broker's websocket."
    )
    tls: bool = Field(False, alias="MQTT_TLS", description="Use TLS.")
    ca_file: str | None = Field(None, alias="MQTT_CA_FILE", description="CA certificates (PEM).")
    cert_file: str | None = Field(None, alias="MQTT_CERT_FILE", description="Client certificate.")
    key_file: str | None = Field(None, alias="MQTT_KEY_FILE", description="Client key.")
    keepalive: int = Field(
        30, ge=5, le=65535, alias="MQTT_KEEPALIVE", description="Keep alive in seconds."
    )
    session_expiry: int = Field(
        3600,
        ge=0,
        le=4294967295,
        alias="MQTT_SESSION_EXPIRY",
        description="Seconds the broker keeps the session while the bridge is away.",
    )
    receive_maximum: int = Field(
        200,
        ge=1,
        le=65535,
        alias="MQTT_RECEIVE_MAXIMUM",
        description="Unacknowledged QoS 1 messages the broker may send.",
    )
    max_packet_size: int = Field(
        1_114_112,
        ge=1024,
        le=268_435_455,
        alias="MQTT_MAX_PACKET_SIZE",
        description="Largest message in bytes; larger ones are left out and counted.",
    )

    status_topic: str = Field(
        "mqtt-dashboard/{client_id}/status",
        alias="MQTT_STATUS_TOPIC",
        description="Retained topic that says online or offline (the will); off = none.",
    )

    @field_validator("topics", mode="before")
    @classmethod
    def _split_topics(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        if value.lstrip().startswith("["):
            try:
                return msgspec.json.decode(value, type=list[str])
            except msgspec.MsgspecError as error:
                raise ValueError(f"not a JSON list of filters: {error}") from error
        return [part.strip() for part in value.split(",") if part.strip()]

    @field_validator("topics")
    @classmethod
    def _check_topics(cls, value: list[str]) -> list[str]:
        try:
            return [topics.check_filter(entry) for entry in value]
        except TopicError as error:
            raise ValueError(str(error)) from error

    @field_validator("client_id")
    @classmethod
    def _check_client_id(cls, value: str) -> str:
        if not _CLIENT_ID.match(value):
            raise ValueError("must be 1 to 256 printable characters")
        return value

    @field_validator("ws_path")
    @classmethod
    def _check_ws_path(cls, value: str) -> str:
        return broker_url.check_ws_path(value)

    @model_validator(mode="after")
    def _apply_url(self) -> Self:
        if self.url is not None:
            given = broker_url.parse(self.url.get_secret_value())
            self.host = given.host
            self.port = given.port or self.port
            self.transport = given.transport
            self.ws_path = given.ws_path or self.ws_path
            self.tls = self.tls or given.tls
            self.username = given.username or self.username
            if given.password:
                self.password = SecretStr(given.password)
        if self.port is None:
            self.port = broker_url.default_port(self.transport, tls=self.tls)
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("MQTT_CERT_FILE and MQTT_KEY_FILE belong together")
        return self


class RedisSettings(Settings):
    """Redis, the only thing both services share."""

    host: str = Field("localhost", alias="REDIS_HOST", description="Redis host name.")
    port: Port = Field(6379, alias="REDIS_PORT", description="Redis port.")
    username: str | None = Field(None, alias="REDIS_USERNAME", description="Redis ACL user.")
    password: SecretStr | None = Field(None, alias="REDIS_PASSWORD", description="Redis password.")
    db: int = Field(0, ge=0, alias="REDIS_DB", description="Redis database number.")
    url: SecretStr | None = Field(
        None,
        alias="REDIS_URL",
        description="redis://user:password@host:port/db or rediss://…; wins over the parts.",
    )
    prefix: str = Field(
        DEFAULT_PREFIX, alias="REDIS_PREFIX", description="Prefix of all names, one per broker."
    )

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parts = urlsplit(value.get_secret_value())
            if parts.scheme not in {"redis", "rediss", "unix"}:
                raise ValueError("REDIS_URL must start with redis://, rediss:// or unix://")
        return value

    @property
    def address(self) -> str:
        """Where Redis is, without any secret, for messages and logs."""
        if self.url is None:
            return f"{self.host}:{self.port}"
        parts = urlsplit(self.url.get_secret_value())
        return f"{parts.hostname}:{parts.port or 6379}" if parts.hostname else parts.path

    @property
    def has_password(self) -> bool:
        """Tell whether a password is shown to Redis."""
        if self.url is None:
            return self.password is not None
        parts = urlsplit(self.url.get_secret_value())
        return parts.password is not None or "password=" in parts.query


class LogSettings(Settings):
    """How both services write their logs."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", alias="LOG_LEVEL", description="debug, info, warning or error."
    )
    format: Literal["auto", "json", "text"] = Field(
        "auto", alias="LOG_FORMAT", description="json, text, or auto (text on a terminal)."
    )


class DashboardSettings(Settings):
    """mqtt-dashboard's own settings."""

    host: str = Field("127.0.0.1", alias="DASHBOARD_HOST", description="Address to listen on.")
    port: Port = Field(8082, alias="DASHBOARD_PORT", description="Port to listen on.")
    workers: int = Field(
        1, ge=1, le=64, alias="WEB_CONCURRENCY", description="Number of web workers."
    )
    auth_mode: AuthMode = Field(
        "auto",
        alias="AUTH_MODE",
        description="auto: sign-in unless bound to loopback; required; anonymous: none at all.",
    )
    allowed_hosts: Annotated[list[str], NoDecode] = Field(
        [],
        alias="DASHBOARD_ALLOWED_HOSTS",
        description="Host names the page is served under, besides loopback; commas between.",
    )
    allowed_origins: Annotated[list[str], NoDecode] = Field(
        [],
        alias="DASHBOARD_ALLOWED_ORIGINS",
        description="Further origins that may write and open the live channel; commas between.",
    )
    frame_payload_limit: int = Field(
        8192,
        ge=64,
        alias="FRAME_PAYLOAD_BYTES",
        description="Bytes of a payload sent to a browser; longer ones are marked as cut.",
    )
    viewer_patience: float = Field(
        20.0,
        ge=1,
        le=3600,
        alias="VIEWER_PATIENCE_S",
        description="Seconds after which a browser that does not read is disconnected.",
    )
    publish_timeout: float = Field(
        5.0,
        gt=0,
        le=60,
        alias="PUBLISH_TIMEOUT",
        description="Seconds to wait for the broker's confirmation of a publish.",
    )

    command_limit: int = Field(
        10_000, ge=1, alias="COMMAND_LIMIT", description="Commands that may wait for their result."
    )
    command_bytes: int = Field(
        67_108_864, ge=1, alias="COMMAND_BYTES", description="Bytes of commands that may wait."
    )
    command_ttl: int = Field(
        86_400, ge=60, alias="COMMAND_TTL_S", description="Seconds a command's record is kept."
    )
    command_record_bytes: int = Field(
        134_217_728,
        ge=1024 * 1024,
        alias="COMMAND_RECORD_BYTES",
        description="Bytes of the records of commands together.",
    )
    command_durability: Literal["required", "relaxed"] = Field(
        "required",
        alias="COMMAND_DURABILITY",
        description="required: no command is accepted that Redis may forget; relaxed: it is said.",
    )

    _split = field_validator("allowed_hosts", "allowed_origins", mode="before")(split_list)

    @property
    def sign_in(self) -> bool:
        """Tell whether people must sign in: only loopback, or an explicit word, goes without."""
        if self.auth_mode == "auto":
            return self.host not in LOOPBACK
        return self.auth_mode == "required"


SETTINGS_CLASSES: tuple[type[Settings], ...] = (
    MqttSettings,
    RedisSettings,
    BridgeSettings,
    DashboardSettings,
    PageSettings,
    AuthSettings,
    LogSettings,
    CliSettings,
)


def load(kind: type[SettingsT], environ: Mapping[str, str] | None = None) -> SettingsT:
    """Read one group of settings; raise `ConfigError` that lists every problem."""
    values = with_secret_files(os.environ if environ is None else environ, SECRETS)
    known = {str(field.alias) for field in kind.model_fields.values()}
    given: dict[str, Any] = {
        name: value for name, value in values.items() if name in known and value != ""
    }
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        problems = [_problem(entry) for entry in error.errors(include_url=False)]
        raise ConfigError("\n".join(problems)) from None


def _problem(entry: Any) -> str:
    name = ".".join(str(part) for part in entry["loc"])
    text = str(entry["msg"]).removeprefix("Value error, ")
    return f"{name}: {text}" if name else text
