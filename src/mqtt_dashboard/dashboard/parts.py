"""What the routes need, in one record; built by `app.create_app` alone."""

from dataclasses import dataclass

import flask

from mqtt_dashboard.bus.dashboard_store import DashboardStore
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.config import DashboardSettings, RedisSettings
from mqtt_dashboard.config_page import PageSettings
from mqtt_dashboard.dashboard.audit import Auditor
from mqtt_dashboard.dashboard.auth.parts import AuthParts
from mqtt_dashboard.dashboard.auth.publishing import JudgedPublisher
from mqtt_dashboard.dashboard.census import Census
from mqtt_dashboard.dashboard.commander import Commander
from mqtt_dashboard.dashboard.counters import Counters
from mqtt_dashboard.dashboard.fanout import Fanout
from mqtt_dashboard.dashboard.loops import Loop
from mqtt_dashboard.dashboard.redis_door import RedisDoor
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
    publisher: JudgedPublisher
    commander: Commander
    auditor: Auditor
    census: Census
    redis_door: RedisDoor
    auth: AuthParts
    loops: tuple[Loop, ...]

    def address(self) -> str:
        """Return where the request that is being answered comes from."""
        return self.auth.recognition.addresses.of(flask.request.environ)
