"""What the routes need, in one record; built by `app.create_app` alone."""

from dataclasses import dataclass

from mqtt_dashboard.bus.dashboard_store import DashboardStore
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.config import DashboardSettings, RedisSettings
from mqtt_dashboard.config_page import PageSettings
from mqtt_dashboard.dashboard.census import Census
from mqtt_dashboard.dashboard.commander import Commander
from mqtt_dashboard.dashboard.counters import Counters
from mqtt_dashboard.dashboard.fanout import Fanout
from mqtt_dashboard.dashboard.loops import Loop
from mqtt_dashboard.dashboard.publisher import Publisher
from mqtt_dashboard.dashboard.state import ReadModel


@dataclass(frozen=True)
class Parts:
    """The parts of one worker."""

    settings: DashboardSettings
    page_settings: PageSettings
    redis_settings: RedisSettings
    clock: Clock
    counters: Counters
    store: DashboardStore
    state: ReadModel
    fanout: Fanout
    publisher: Publisher
    commander: Commander
    census: Census
    loops: tuple[Loop, ...]
