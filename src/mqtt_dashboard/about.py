"""What this process is made of and how it is set up, for the page that shows the system.

No secret leaves here: of a secret is told only whether it is set.
"""

import os
import platform
import socket
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Final

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from mqtt_dashboard import __version__
from mqtt_dashboard.config import SECRETS
from mqtt_dashboard.contract.system import ProcessInfo, SettingShown

_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_STATM: Final = Path("/proc/self/statm")


def process(started_at: float, libraries: Iterable[str]) -> ProcessInfo:
    """Describe this process; ``libraries`` are names of installed distributions."""
    return ProcessInfo(
        version=__version__,
        python=platform.python_version(),
        host=socket.gethostname(),
        pid=os.getpid(),
        started_at=started_at,
        rss_bytes=rss_bytes(),
        libraries={name: metadata.version(name) for name in libraries},
    )


def rss_bytes() -> int | None:
    """Return the resident memory of this process; None where the system does not tell."""
    try:
        return int(_STATM.read_text(encoding="ascii").split()[1]) * _PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return None


def settings(groups: Iterable[BaseSettings]) -> list[SettingShown]:
    """Return every setting of some groups as it took effect, by the variable's name."""
    shown = [
        _shown(str(field.alias), getattr(group, name), field.default, field.description or "")
        for group in groups
        for name, field in type(group).model_fields.items()
    ]
    return sorted(shown, key=lambda one: one.name)


def _shown(name: str, value: object, default: object, description: str) -> SettingShown:
    secret = name in SECRETS or isinstance(value, SecretStr)
    if secret:
        text = "not set" if value is None else "set"
    elif value is None:
        text = "not set"
    elif isinstance(value, list):
        text = ", ".join(str(one) for one in value)
    elif isinstance(value, bool):
        text = str(value).lower()
    else:
        text = str(value)
    return SettingShown(
        name=name, value=text, description=description, is_default=value == default, secret=secret
    )
