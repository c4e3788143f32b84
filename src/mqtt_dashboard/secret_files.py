"""Secrets given as files: ``<NAME>_FILE`` in place of ``<NAME>``."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from mqtt_dashboard.errors import ConfigError


def with_secret_files(environ: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """Return the variables with each secret read from its file, if it is given as one."""
    values = dict(environ)
    for name in names:
        path = values.get(f"{name}_FILE")
        if not path:
            continue
        if values.get(name):
            raise ConfigError(f"{name} and {name}_FILE are both set; keep one")
        try:
            values[name] = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{name}_FILE: cannot read {path}: {error}") from error
    return values
