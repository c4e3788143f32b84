#!/usr/bin/env bash
# The quick checks, all of them even when one fails; the front end's run beside the others.
set -uo pipefail
cd "$(dirname "$0")/.."
PATH=$PWD/.venv/bin:$PATH
failed=0

check() {
  scripts/step.sh "$@" || failed=$((failed + 1))
}

front_end() {
  local npm=(scripts/node.sh npm --prefix frontend run --silent)
  failed=0
  scripts/build_ui.sh packages || return 1
  check "Front end: lint" "${npm[@]}" lint
  check "Front end: types" "${npm[@]}" type-check
  check "Front end: unit tests" "${npm[@]}" test
  return "$failed"
}

front_end &
lane=$!

check "Format (ruff)" ruff format --check .
check "Lint (ruff)" ruff check .
check "Types (mypy)" mypy
check "Import layers" lint-imports
check "Generated: contract" python scripts/gen_contract.py --check
check "Generated: .env.example" python scripts/gen_env.py --check
check "Generated: docs/reference/cli.md" python scripts/gen_cli.py --check
check "German words for every sentence" python scripts/sentences.py --check
check "Compose file: schema" \
  check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
check "Dockerfile (hadolint)" hadolint deploy/docker/Dockerfile
check "YAML (yamllint)" yamllint --strict .
check "Repository rules" \
  python -m pytest -q -p no:randomly -p no:cacheprovider tests/contract/test_repository.py

wait "$lane" || failed=$((failed + 1))
if [ "$failed" -ne 0 ]; then
  echo "Checks: $failed of them failed." >&2
  exit 1
fi
echo "Checks: all passed in $SECONDS s."
