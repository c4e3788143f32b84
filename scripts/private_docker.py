"""A Docker daemon of our own, and stand-ins for the base images where no image registry is at hand.

The daemon has its own data, socket and state, touches no firewall rule and ends with the test. The
stand-ins are made from this system's Debian packages, under the names that the Dockerfile and
docker-compose.yml use: they prove our files, not the real images.
"""

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

PACKAGES = "python3,python3-venv,ca-certificates,redis-server,mosquitto,mosquitto-clients"
# How this machine reaches package registries; the real images need none of it.
MACHINE_SETTINGS = ("/etc/pip.conf", "/etc/npmrc", "/etc/ssl/certs/ca-certificates.crt")
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
START_S = 30.0

# What each official image brings beyond Debian, as far as our files rely on it.
RECIPES = {
    "node": "RUN ln -s /opt/node/bin/node /usr/local/bin/node && printf "
    "'#!/bin/sh\\nexec node /opt/node/lib/node_modules/npm/bin/npm-cli.js \"$@\"\\n' "
    "> /usr/local/bin/npm && chmod +x /usr/local/bin/npm",
    "python": "RUN ln -s /usr/bin/python3 /usr/local/bin/python",
    "redis": "RUN usermod -u 999 redis && groupmod -g 999 redis"
    " && mkdir -p /data && chown 999:999 /data",
    "eclipse-mosquitto": "RUN usermod -u 1883 mosquitto && groupmod -g 1883 mosquitto"
    " && mkdir -p /mosquitto/config /mosquitto/data /mosquitto/log"
    " && chown -R 1883:1883 /mosquitto\nENV PATH=/usr/sbin:/usr/bin:/sbin:/bin",
}


class PrivateDocker:
    """Starts dockerd, loads base images, and removes all of it."""

    def __init__(self, work: Path, node: Path) -> None:
        self._work = work
        self._node = node
        self._scratch = Path(tempfile.mkdtemp(prefix="private-docker-"))
        self._daemon: subprocess.Popen[bytes] | None = None
        self.host = f"unix://{self._scratch}/docker.sock"

    @property
    def environ(self) -> Mapping[str, str]:
        """What makes the docker clients talk to this daemon only."""
        # The old builder: this daemon comes without BuildKit's front end.
        own = {
            "DOCKER_HOST": self.host,
            "DOCKER_BUILDKIT": "0",
            "DOCKER_CONFIG": str(self._scratch),
        }
        return {**{k: v for k, v in os.environ.items() if not k.startswith("DOCKER_")}, **own}

    def __enter__(self) -> Self:
        """Start the daemon and wait until it answers."""
        self._work.mkdir(parents=True, exist_ok=True)
        (self._scratch / "daemon.json").write_text("{}")
        command = [
            "dockerd",
            *("--config-file", f"{self._scratch}/daemon.json", "--host", self.host),
            *("--data-root", f"{self._work}/data", "--exec-root", f"{self._scratch}/exec"),
            *("--pidfile", f"{self._scratch}/docker.pid", "--storage-driver", "overlay2"),
            *("--exec-opt", "native.cgroupdriver=cgroupfs"),
            *("--default-ulimit", "nofile=20000:20000"),
            *("--bridge", "none", "--iptables=false", "--ip6tables=false"),
        ]
        with (self._work / "dockerd.log").open("wb") as log:
            self._daemon = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + START_S
        while subprocess.run(
            ["docker", "version"], env=self.environ, check=False, capture_output=True
        ).returncode:
            if self._daemon.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"dockerd does not start; see {self._work}/dockerd.log")
            time.sleep(0.2)
        return self

    def __exit__(self, *_: object) -> None:
        """End the daemon (it ends its containers) and remove its data."""
        if self._daemon is not None:
            self._daemon.terminate()
            try:
                self._daemon.wait(30)
            except subprocess.TimeoutExpired:
                self._daemon.kill()
                self._daemon.wait(10)
        for mount in _mounts_below(self._work, self._scratch):
            subprocess.run(["umount", "--lazy", mount], check=False)
        shutil.rmtree(self._work / "data", ignore_errors=True)
        shutil.rmtree(self._scratch, ignore_errors=True)

    def docker(self, *words: str, stdin: str | None = None) -> str:
        """Run a docker command against this daemon and return what it prints."""
        done = subprocess.run(
            ["docker", *words],
            env=self.environ,
            input=stdin,
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise SystemExit(
                f"docker {words[0]} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
            )
        return done.stdout

    def make_stand_ins(self, images: list[str]) -> None:
        """Provide every image under its own name."""
        base = self._base_archive()
        changes = [
            f"--change=ENV {name}={CERTIFICATES}" for name in ("PIP_CERT", "NODE_EXTRA_CA_CERTS")
        ]
        self.docker("import", *changes, str(base), "stand-in:base")
        for image in images:
            name = image.partition(":")[0]
            recipe = f"FROM stand-in:base\n{RECIPES[name]}\n"
            self.docker("build", "--network", "none", "--tag", image, "-", stdin=recipe)

    def _base_archive(self) -> Path:
        archive = self._work / "base.tar"
        if archive.exists():
            return archive
        unfinished = archive.with_suffix(".part.tar")
        copies = [
            f"--customize-hook=copy-in {path} {Path(path).parent}"
            for path in MACHINE_SETTINGS
            if Path(path).exists()
        ]
        node = [
            '--customize-hook=mkdir -p "$1/opt/node"',
            f"--customize-hook=sync-in {self._node} /opt/node",
        ]
        release = re.search(r"(?m)^VERSION_CODENAME=(\S+)", Path("/etc/os-release").read_text())
        assert release is not None
        command = [
            "mmdebstrap",
            "--quiet",
            "--variant=minbase",
            f"--include={PACKAGES}",
            *copies,
            *node,
        ]
        done = subprocess.run(
            [*command, release.group(1), str(unfinished)],
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise SystemExit(f"mmdebstrap failed:\n{done.stderr[-3000:]}")
        unfinished.rename(archive)
        return archive


def _mounts_below(*folders: Path) -> list[str]:
    lines = Path("/proc/self/mounts").read_text().splitlines()
    points = [line.split()[1] for line in lines]
    own = [point for point in points if any(point.startswith(f"{folder}/") for folder in folders)]
    return sorted(own, reverse=True)
