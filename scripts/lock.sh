#!/usr/bin/env bash
# Write both locks anew from pyproject.toml. They carry hashes and no download addresses.
set -euo pipefail
cd "$(dirname "$0")/.."
compile=(scripts/uv.sh pip compile pyproject.toml --quiet --universal --generate-hashes
  --no-emit-index-url --no-annotate --no-header --extra embedded)
"${compile[@]}" --group build "$@" -o requirements.lock
"${compile[@]}" --group dev "$@" -o requirements-dev.lock
