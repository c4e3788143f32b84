"""What the bridge keeps of the past: statistics, and the story of its connection."""

from typing import Final

from mqtt_dashboard.bus import connection
from mqtt_dashboard.bus.fence import FENCE, fencing_errors
from mqtt_dashboard.bus.kept import CHANGES_KEPT, POINTS_KEPT
from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.contract.history import Span, StatsPoint
from mqtt_dashboard.contract.messages import StatusChange
from mqtt_dashboard.contract.system import BridgeAbout

# Steps between two points in seconds.
STEPS: Final[dict[Span, float]] = {"hour": 5.0, "day": 60.0}

# KEYS epoch, stream; ARGV epoch, entries to keep, field, value
_ADD: Final = (
    FENCE + "return redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], '*', ARGV[3], ARGV[4])"
)
# KEYS epoch, key; ARGV epoch, document
_SET: Final = FENCE + "return redis.call('SET', KEYS[2], ARGV[2])"


class BridgeHistory:
    """Writes the past; every write is fenced."""

    def __init__(self, client: connection.Client, channels: RedisChannels, address: str) -> None:
        self._channels = channels
        self._address = address
        self._add = client.register_script(_ADD)
        self._set = client.register_script(_SET)

    def keep_stats(self, epoch: int, span: Span, point: StatsPoint) -> None:
        """Add a measurement to the last hour or day."""
        self._write(
            epoch, self._channels.stats_history(span), POINTS_KEPT[span], "p", codec.pack(point)
        )

    def keep_change(self, epoch: int, change: StatusChange) -> None:
        """Add a change of the MQTT session to its story."""
        self._write(epoch, self._channels.status_history, CHANGES_KEPT, "d", codec.encode(change))

    def introduce(self, epoch: int, about: BridgeAbout) -> None:
        """Say which bridge is the active one, with its versions and settings."""
        with fencing_errors(self._address):
            self._set(
                keys=[self._channels.bridge_epoch, self._channels.bridge_about],
                args=[epoch, codec.encode(about)],
            )

    def _write(self, epoch: int, stream: str, kept: int, name: str, value: bytes) -> None:
        with fencing_errors(self._address):
            self._add(keys=[self._channels.bridge_epoch, stream], args=[epoch, kept, name, value])
