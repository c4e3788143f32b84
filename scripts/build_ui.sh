#!/usr/bin/env bash
# Install the front end's packages when their lock changed, then build the page.
# build_ui.sh packages stops after the first part.
set -euo pipefail
cd "$(dirname "$0")/.."

stamp=frontend/node_modules/.installed
if [ ! -e "$stamp" ] || [ frontend/package-lock.json -nt "$stamp" ]; then
  scripts/step.sh "Install front-end packages" \
    scripts/node.sh npm --prefix frontend ci --no-audit --no-fund --loglevel=error
  touch "$stamp"
fi
[ "${1:-}" = packages ] && exit 0
scripts/step.sh "Build the page" scripts/node.sh npm --prefix frontend run build
