"""Write .env.example from the settings classes; with --check only tell whether it is fresh."""

import sys
from pathlib import Path

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from mqtt_dashboard import config

TARGET = Path(__file__).parents[1] / ".env.example"
HEAD = """\
# Every variable of mqtt-bridge and mqtt-dashboard, with its default. Generated from
# src/mqtt_dashboard/config.py by `make generate`.
# Copy it to .env and remove the # from what you change; git ignores .env.
# A variable that ends in _FILE names a file that holds the value, for secrets.
"""


def main() -> int:
    """Write the file, or compare it."""
    text = render()
    if "--check" not in sys.argv[1:]:
        TARGET.write_text(text, encoding="utf-8")
        return 0
    if TARGET.exists() and TARGET.read_text(encoding="utf-8") == text:
        return 0
    print(".env.example is stale; run: make generate")
    return 1


def render() -> str:
    """Return the whole file."""
    parts = [HEAD]
    for kind in config.SETTINGS_CLASSES:
        parts.append(f"\n# --- {kind.__doc__}\n")
        parts += [_entry(field) for field in kind.model_fields.values()]
    return "".join(parts)


def _entry(field: FieldInfo) -> str:
    name = str(field.alias)
    lines = f"# {field.description}\n# {name}={_default(field)}\n"
    return lines + (f"# {name}_FILE=\n" if name in config.SECRETS else "")


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is None or value is PydanticUndefined or isinstance(value, SecretStr):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list | dict) else str(value)


if __name__ == "__main__":
    sys.exit(main())
