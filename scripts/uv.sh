#!/usr/bin/env bash
# Run uv: the one on PATH, else a private copy that pip puts into .boot/.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

if uv --version >/dev/null 2>&1; then
  exec uv "$@"
fi
if [ ! -x "$root/.boot/bin/uv" ]; then
  if ! python3 -m pip --version >/dev/null 2>&1; then
    echo "Neither uv nor pip was found. Install one of them (Debian: apt install python3-pip)." >&2
    exit 1
  fi
  python3 -m pip install --quiet --disable-pip-version-check --target "$root/.boot" uv >&2
fi
exec "$root/.boot/bin/uv" "$@"
