"""What gunicorn loads in each worker; reads the environment, connects to nothing."""

from mqtt_dashboard import config, logs
from mqtt_dashboard.bus.dashboard_store import DashboardStore
from mqtt_dashboard.clock import SystemClock
from mqtt_dashboard.config_auth import AuthSettings
from mqtt_dashboard.config_page import PageSettings
from mqtt_dashboard.dashboard.app import create_app

logs.configure(config.load(config.LogSettings))
app = create_app(
    config.load(config.DashboardSettings),
    config.load(PageSettings),
    config.load(AuthSettings),
    DashboardStore(config.load(config.RedisSettings)),
    SystemClock(),
)
