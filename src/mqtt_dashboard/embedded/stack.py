"""Everything `mqtt-dashboard up` starts: in which order, how it is seen to work, how it stops."""

import http.client
import os
import signal
import sys
import sysconfig
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mqtt_dashboard.clock import Clock
from mqtt_dashboard.embedded import broker, mosquitto, redis_server
from mqtt_dashboard.embedded.children import Child, LogFollower, Supervisor, describe_end
from mqtt_dashboard.embedded.ports import answers, free_port
from mqtt_dashboard.embedded.restarts import Restarts
from mqtt_dashboard.errors import DashboardError
from mqtt_dashboard.service import StopSignal

_OWN_BROKER = ("MQTT_BROKER_HOST", "MQTT_URL", "MQTT_URL_FILE")
_OWN_REDIS = ("REDIS_HOST", "REDIS_URL", "REDIS_URL_FILE")
_NOT_FOR_EMBEDDED_REDIS = (
    "REDIS_URL",
    "REDIS_URL_FILE",
    "REDIS_USERNAME",
    "REDIS_PASSWORD",
    "REDIS_DB",
)

SERVER_START_S = 10.0
PAGE_START_S = 30.0
# The page is shown although something behind it is not ready, after so long.
READY_PATIENCE_S = 8.0
# First those who use the bridge, then the bridge, then what it stands on: under 5 s in all.
STOP_STAGES = ((("demo", "dashboard"), 2.0), (("bridge",), 1.6), (("broker", "redis"), 0.5))
STOP_LIMIT_S = 4.6
_TICK_S = 0.05
ENVIRONMENT_FILE = "environment"


class StackError(DashboardError):
    """The stack cannot go on; the text says which part and why."""


class StopRequestedError(DashboardError):
    """Somebody asked to stop while parts were still starting."""


@dataclass(frozen=True)
class Plan:
    """What to start and where files go."""

    host: str
    port: int
    state: Path
    logs: Path
    cache: Path
    keep: bool
    demo: bool | None
    verbose: bool


class Stack:
    """Starts the parts, waits for the page, watches, and stops them in order."""

    def __init__(
        self,
        plan: Plan,
        environ: Mapping[str, str],
        say: Callable[[str], None],
        stop: StopSignal,
        clock: Clock,
    ) -> None:
        self._plan = plan
        self._environ = environ
        self._say = say
        self._stop = stop
        self._clock = clock
        self._supervisor = Supervisor()
        self._follower = LogFollower()
        # What the services are told beyond the environment they inherit.
        self._extra = {"LOG_FORMAT": environ.get("LOG_FORMAT") or "text"}

    def start(self) -> None:
        """Start every part and return once the page answers."""
        self._start_redis()
        external = self._start_broker()
        self._start_services()
        self._await_page()
        # After the bridge, which can name only clients that it saw connect.
        if self._plan.demo or (self._plan.demo is None and not external):
            self._start_service("demo", "mqtt-dashboard", "demo")
            self._say("Demo       invented devices publish below demo/ (without: --no-demo)")

    def watch(self) -> None:
        """Return when asked to stop; start again what ends by itself."""
        restarts = Restarts(self._supervisor, self._say, self._clock)
        while not self._stop.wait(_TICK_S):
            self._show_logs()
            restarts.tick()

    def stop(self) -> list[str]:
        """Stop every part in order; return the names of those that had to be killed."""
        late = self._supervisor.stop(STOP_STAGES, STOP_LIMIT_S)
        self._show_logs()
        return late

    def _start_redis(self) -> None:
        if any(self._environ.get(name) for name in _OWN_REDIS):
            self._say("Redis      as configured")
            return
        server = redis_server.prepare(self._plan.state, self._plan.logs)
        self._start_server(server.child, server.port)
        self._extra |= dict.fromkeys(_NOT_FOR_EMBEDDED_REDIS, "") | server.environ
        self._say(f"Redis      embedded, 127.0.0.1:{server.port}")

    def _start_broker(self) -> bool:
        """Start a broker unless one is configured; tell whether one is."""
        if any(self._environ.get(name) for name in _OWN_BROKER):
            self._say("Broker     as configured")
            return True
        wanted = self._environ.get("MQTT_BROKER_PORT", "")
        server = broker.prepare(
            mosquitto.find(self._plan.cache, self._say),
            self._plan.state,
            self._plan.logs,
            keep=self._plan.keep,
            preferred=int(wanted) if wanted.isdigit() else None,
        )
        self._start_server(server.child, server.port)
        self._extra |= server.environ
        self._say(f"Broker     embedded, mqtt://127.0.0.1:{server.port} ({server.title})")
        return False

    def _start_server(self, child: Child, port: int) -> None:
        self._supervisor.start(child)
        self._wait(lambda: answers(port), SERVER_START_S, f"{child.name} does not answer")

    def _start_services(self) -> None:
        if not self._environ.get("BRIDGE_HTTP_PORT"):
            # Not the usual 8083: a bridge that somebody starts by hand may want that.
            self._extra["BRIDGE_HTTP_PORT"] = str(free_port())
        self._extra |= {"DASHBOARD_HOST": self._plan.host, "DASHBOARD_PORT": str(self._plan.port)}
        self._start_service("bridge", "mqtt-bridge")
        self._start_service("dashboard", "mqtt-dashboard", "serve")
        self._write_environment()
        self._say(f"Services   mqtt-bridge and mqtt-dashboard started, logs in {self._plan.logs}")

    def _write_environment(self) -> None:
        """Leave what the services were told, so that the doctor can be told the same."""
        path = self._plan.logs / ENVIRONMENT_FILE
        lines = [f"{name}={value}" for name, value in sorted(self._extra.items()) if value]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        path.chmod(0o600)
        self._say(f"Check      mqtt-dashboard doctor --env-file {path}")

    def _start_service(self, name: str, script: str, *words: str) -> None:
        # A killed parent leaves services time to say goodbye; servers just end.
        command = [*console_script(script), *words]
        log = self._plan.logs / f"{name}.log"
        self._supervisor.start(Child(name, command, log, dict(self._extra), signal.SIGTERM))

    def _await_page(self) -> None:
        host = loopback_of(self._plan.host)
        port = self._plan.port
        self._wait(lambda: status_of(host, port, "/") is not None, PAGE_START_S, "no page")
        if status_of(host, port, "/") != 200:
            self._say("The page itself is not built (make ui); its HTTP interface works.")
        deadline = self._clock.monotonic() + READY_PATIENCE_S
        while status_of(host, port, "/readyz") != 200:
            if self._clock.monotonic() > deadline:
                self._say("Not everything is ready yet; the page says what is missing.")
                return
            self._pause()

    def _wait(self, check: Callable[[], bool], seconds: float, complaint: str) -> None:
        deadline = self._clock.monotonic() + seconds
        while not check():
            if self._clock.monotonic() > deadline:
                raise StackError(f"{complaint} after {seconds:.0f} s; see {self._plan.logs}")
            self._pause()

    def _pause(self) -> None:
        if self._stop.wait(_TICK_S):
            raise StopRequestedError("asked to stop")
        self._look_after_children()

    def _look_after_children(self) -> None:
        self._show_logs()
        child = self._supervisor.ended()
        if child is not None and not self._stop.is_set():
            lines = "".join(f"\n    {line}" for line in child.last_lines())
            raise StackError(f"{describe_end(child)}. Its last words:{lines or ' none'}")

    def _show_logs(self) -> None:
        if self._plan.verbose:
            for child in self._supervisor.children:
                for line in self._follower.new_lines(child):
                    self._say(line)


def console_script(name: str) -> list[str]:
    """Return how to run one of the project's own scripts in this installation."""
    path = Path(sysconfig.get_path("scripts"), name)
    if path.exists():
        return [sys.executable, str(path)]
    raise StackError(f"{path} is missing; install the project again")


def loopback_of(host: str) -> str:
    """Return an address to reach a server that was bound to ``host`` from here."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared only


def status_of(host: str, port: int, path: str) -> int | None:
    """Return the status of a GET, or None when nobody answers."""
    connection = http.client.HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def log_folder(environ: Mapping[str, str], port: int) -> Path:
    """Return where children's output goes: .run/ of a checkout, else the user's state folder."""
    checkout = Path(__file__).parents[3]
    if (checkout / "pyproject.toml").exists() and os.access(checkout, os.W_OK):
        return checkout / ".run" / f"up-{port}"
    base = environ.get("XDG_STATE_HOME") or str(Path.home() / ".local/state")
    return Path(base) / "mqtt-dashboard" / f"up-{port}"
