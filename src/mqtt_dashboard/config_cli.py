"""Settings of the commands that talk to a running dashboard."""

from pydantic import Field, SecretStr

from mqtt_dashboard.config_base import Settings

CLI_SECRETS = ("MQTT_DASHBOARD_TOKEN",)
DEFAULT_URL = "http://127.0.0.1:8082"


class CliSettings(Settings):
    """The command line: pub, tail, topics, users, tokens and audit."""

    url: str = Field(
        DEFAULT_URL, alias="MQTT_DASHBOARD_URL", description="Address of the dashboard to talk to."
    )
    token: SecretStr | None = Field(
        None,
        alias="MQTT_DASHBOARD_TOKEN",
        description="API token to show it; made by mqtt-dashboard tokens create.",
    )
