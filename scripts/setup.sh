#!/usr/bin/env bash
# Make .venv from the hashed locks: setup.sh runtime | dev
# runtime is what `make run` needs; dev adds everything the tests and checks need.
set -euo pipefail
cd "$(dirname "$0")/.."

case ${1:-} in
  runtime) lock=requirements.lock ;;
  dev) lock=requirements-dev.lock ;;
  *) echo "usage: setup.sh runtime|dev" >&2; exit 2 ;;
esac

if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo "Python 3.11 or newer is needed; python3 here is: $(python3 --version 2>&1 || true)" >&2
  exit 1
fi
if ! .venv/bin/python -c 'pass' 2>/dev/null; then
  scripts/step.sh "Create .venv" scripts/uv.sh venv --quiet --clear --no-python-downloads \
    --python "$(python3 -c 'import sys; print(sys.executable)')" .venv
fi
export VIRTUAL_ENV=$PWD/.venv
scripts/step.sh "Install Python packages ($1)" \
  scripts/uv.sh pip install --require-hashes --requirement "$lock"
# The build backend is in the locks too, so nothing unchecked is fetched here.
scripts/step.sh "Install the project" \
  scripts/uv.sh pip install --no-deps --no-build-isolation --editable .
