"""Settings of the bridge alone."""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from mqtt_dashboard.config_base import Settings


class BridgeSettings(Settings):
    """mqtt-bridge's own settings."""

    http_host: str = Field(
        "127.0.0.1", alias="BRIDGE_HTTP_HOST", description="Address of /healthz and /metrics."
    )
    http_port: Annotated[int, Field(ge=0, le=65535)] = Field(
        8083, alias="BRIDGE_HTTP_PORT", description="Port of /healthz and /metrics; 0 = none."
    )
    topic_limit: int = Field(
        1_000_000, ge=1, alias="TOPIC_LIMIT", description="Topics the index holds at most."
    )
    value_limit: int = Field(
        4096, ge=0, alias="TOPIC_VALUE_LIMIT", description="Bytes of a last value kept per topic."
    )
    value_budget: int = Field(
        256 * 1024 * 1024,
        ge=0,
        alias="TOPIC_VALUES_BYTES",
        description="Bytes of all last values together; past it a value keeps its first 64.",
    )
    names_budget: int = Field(
        128 * 1024 * 1024,
        ge=1024 * 1024,
        alias="TOPIC_NAMES_BYTES",
        description="Bytes of all topic names in the index together, as the bridge holds them.",
    )
    log_limit: int = Field(
        64 * 1024 * 1024,
        ge=1024 * 1024,
        alias="MESSAGE_LOG_BYTES",
        description="Bytes of recent messages kept in Redis.",
    )
    log_age: int = Field(
        86_400,
        ge=60,
        alias="MESSAGE_LOG_AGE_S",
        description="Seconds recent messages are kept in Redis at most.",
    )
    queue_limit: int = Field(
        64 * 1024 * 1024,
        ge=1024 * 1024,
        alias="BRIDGE_QUEUE_BYTES",
        description="Bytes of messages waiting for Redis inside the bridge.",
    )
    dollar_publish: bool = Field(
        False,
        alias="ALLOW_DOLLAR_PUBLISH",
        description="Let commands publish to topics that begin with $ (broker control).",
    )
    command_channel: Literal["on", "off"] = Field(
        "on", alias="COMMAND_CHANNEL", description="off: no publishing over mqtt:commands."
    )
    dynsec: Literal["on", "off"] = Field(
        "off",
        alias="MQTT_DYNSEC",
        description="on: list the accounts of mosquitto's dynamic security plugin.",
    )
    emqx_api_url: str | None = Field(
        None,
        alias="EMQX_API_URL",
        description="EMQX's REST API, for example http://127.0.0.1:18083; lists all clients.",
    )
    emqx_api_key: SecretStr | None = Field(
        None, alias="EMQX_API_KEY", description="API key of EMQX."
    )
    emqx_api_secret: SecretStr | None = Field(
        None, alias="EMQX_API_SECRET", description="Secret of EMQX's API key."
    )

    @model_validator(mode="after")
    def _check_emqx(self) -> Self:
        given = [self.emqx_api_url, self.emqx_api_key, self.emqx_api_secret]
        if any(given) and not all(given):
            raise ValueError("EMQX_API_URL, EMQX_API_KEY and EMQX_API_SECRET belong together")
        parts = urlsplit(self.emqx_api_url or "http://localhost")
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
            raise ValueError("EMQX_API_URL must look like http://host:port or https://host:port")
        return self
