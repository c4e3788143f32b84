"""Installs the contestants that are not part of the project into ``bench/.cache``, pinned.

Each function returns where to find the thing; `UnavailableError` says why there is none, and the
benchmark goes on without it.
"""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
CACHE: Final = ROOT / "bench" / ".cache"
LIMIT_S: Final = 300
# Node-RED wants a newer Node than many systems have: all Node contestants get the one of the locks.
NODE_ENV: Final = {**os.environ, "WHEEL_NODE": "1"}


class UnavailableError(Exception):
    """A contestant cannot be had here; the text says why."""


@cache
def node() -> Path:
    """Return the Node to run."""
    script = str(ROOT / "scripts/node.sh")
    found = _run([script, "node", "-p", "process.execPath"], "Node")
    return Path(found.strip().splitlines()[-1])


@cache
def node_modules() -> Path:
    """Install the locked npm packages unless they are there already."""
    home, sources = CACHE / "node", ROOT / "bench/node"
    lock = (sources / "package-lock.json").read_bytes()
    done = home / "installed.lock"
    if not (done.exists() and done.read_bytes() == lock):
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(sources, home, ignore=shutil.ignore_patterns("node_modules"))
        script = str(ROOT / "scripts/node.sh")
        _run([script, "npm", "--prefix", str(home), "ci"], "the npm packages")
        done.write_bytes(lock)
    return home / "node_modules"


@cache
def mq_bridge() -> Path:
    """Install the locked mq-bridge into a folder of its own."""
    home, lock = CACHE / "mq-bridge", ROOT / "bench/mq-bridge.lock"
    done = home / "installed.lock"
    if not (done.exists() and done.read_bytes() == lock.read_bytes()):
        shutil.rmtree(home, ignore_errors=True)
        command = [str(ROOT / "scripts/uv.sh"), "pip", "install", "--target", str(home)]
        _run([*command, "--require-hashes", "--requirement", str(lock)], "mq-bridge")
        shutil.copyfile(lock, done)
    return home


def _run(command: list[str], what: str) -> str:
    env = {**NODE_ENV, "VIRTUAL_ENV": str(ROOT / ".venv")}
    try:
        done = subprocess.run(
            command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"{what}: {error}") from error
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
        raise UnavailableError(f"{what} could not be installed: {last}")
    return done.stdout
