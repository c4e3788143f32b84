"""Find a mosquitto: installed, in our cache, or fetched from the system's Debian packages.

Fetching changes nothing on the system and needs no root: apt downloads and verifies the packages,
and they are unpacked into the user's cache.
"""

import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

_SYSTEM_FOLDERS = (
    "/usr/sbin",
    "/usr/local/sbin",
    "/opt/homebrew/sbin",
    "/usr/local/opt/mosquitto/sbin",
)
_APT_TIMEOUT_S = 60.0
_BANNER = "mosquitto version "


@dataclass(frozen=True)
class Mosquitto:
    """A mosquitto that was seen to run."""

    binary: Path
    version: str
    environ: Mapping[str, str]


def find(cache: Path, say: Callable[[str], None]) -> Mosquitto | None:
    """Return a mosquitto that runs, or None when there is none to be had."""
    search = os.pathsep.join([os.environ.get("PATH", ""), *_SYSTEM_FOLDERS])
    installed = shutil.which("mosquitto", path=search)
    if installed and (found := _try(Path(installed), {})):
        return found
    folder = cache / f"mosquitto-{platform.machine()}"
    if found := _try_folder(folder):
        return found
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        return None
    say("mosquitto is not installed; fetching it from the system's packages into the cache")
    try:
        _fetch(folder)
    except (OSError, subprocess.SubprocessError) as error:
        say(f"fetching mosquitto failed: {_reason(error)}")
        return None
    return _try_folder(folder)


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Return where the product keeps what it can fetch again."""
    base = environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "mqtt-dashboard"


def _try_folder(folder: Path) -> Mosquitto | None:
    binary = folder / "usr/sbin/mosquitto"
    if not binary.exists():
        return None
    libraries = {str(path.parent) for path in folder.rglob("*.so*")}
    return _try(binary, {"LD_LIBRARY_PATH": os.pathsep.join(sorted(libraries))})


def _try(binary: Path, environ: Mapping[str, str]) -> Mosquitto | None:
    try:
        answer = subprocess.run(  # noqa: S603 - a path we found ourselves
            [str(binary), "-h"],
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
            env={**os.environ, **environ},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    if not answer.stdout.startswith(_BANNER):
        return None
    version = answer.stdout.removeprefix(_BANNER).split()[0]
    return Mosquitto(binary, version, dict(environ))


def _fetch(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetch-") as scratch:
        work = Path(scratch)
        packages = _missing_packages(work)
        if not packages and os.geteuid() == 0:
            # A fresh container has no package lists yet.
            _run(["apt-get", "-qq", "update"], work)
            packages = _missing_packages(work)
        if not packages:
            raise FileNotFoundError("apt knows no package mosquitto; try: apt-get update")
        _run(["apt-get", "-qq", "download", *packages], work)
        root = work / "root"
        for archive in sorted(work.glob("*.deb")):
            _run(["dpkg", "-x", str(archive), str(root)], work)
        shutil.rmtree(folder, ignore_errors=True)
        root.rename(folder)


def _missing_packages(work: Path) -> list[str]:
    """Ask apt what an installation would add; nothing is installed."""
    simulate = ["apt-get", "--simulate", "--no-install-recommends", "install", "mosquitto"]
    try:
        plan = _run(simulate, work)
    except subprocess.CalledProcessError:
        return []
    return [line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")]


def _run(command: list[str], folder: Path) -> str:
    return subprocess.run(  # noqa: S603 - fixed commands
        command,
        cwd=folder,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_APT_TIMEOUT_S,
        check=True,
    ).stdout


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        lines = str(error.stderr or "").strip().splitlines()
        return lines[-1] if lines else f"{error.cmd[0]} ended with status {error.returncode}"
    return str(error)
