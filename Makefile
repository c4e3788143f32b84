# Everything from an empty clone: `make run` shows the page, `make test` proves it. Bare `make` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
PY := $(BIN)/python
STEP := scripts/step.sh
NPM := scripts/node.sh npm --prefix frontend
RUNTIME := .venv/.runtime-installed
DEV := .venv/.dev-installed
UI := src/mqtt_dashboard/dashboard/static/index.html
# Folders below src count too: a deleted file changes them.
UI_SOURCES := $(shell find frontend -name node_modules -prune -o -type f -print 2>/dev/null) \
  $(shell find frontend/src frontend/public -type d 2>/dev/null)
# Options for `mqtt-dashboard up` and for pytest: make run ARGS="--no-demo", make test ARGS="-k lease"
ARGS ?=
WORKERS ?= 2
# The tests of a module come in an order made from this number; another one shows whether any of
# them needs what a test before it left behind.
SEED ?= 1
SOAK_MINUTES ?= 60
PYTEST := $(PY) -m pytest --quiet --randomly-seed=$(SEED) -n $(WORKERS) --dist loadgroup $(ARGS)

.PHONY: help setup dev ui run test check chaos soak e2e bench screenshots compose-test lock generate ci clean

help: ## Show this menu
	@echo "MQTT Dashboard. Start with: make run"
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

setup: $(RUNTIME) ## Make .venv with both console scripts (.venv/bin/mqtt-bridge, mqtt-dashboard)
	@:

$(RUNTIME): requirements.lock pyproject.toml
	@scripts/setup.sh runtime
	@touch $@

dev: $(DEV)
	@:

$(DEV): requirements-dev.lock pyproject.toml
	@scripts/setup.sh dev
	@touch $@ $(RUNTIME)

ui: $(UI) ## Build the page (only when frontend/ changed)
	@:

$(UI): $(UI_SOURCES) | $(RUNTIME)
	@scripts/build_ui.sh
	@touch $@

run: setup ui ## Start everything and print the page's address
	@exec $(BIN)/mqtt-dashboard up $(ARGS)

test: dev ui ## Run the whole test suite (real broker, Redis and Chromium)
	@scripts/system_packages.sh tests
	@$(PYTEST) -m "not chaos and not soak"

check: dev ## Run the quick checks: format, lint, types, layers, generated files, front end
	@scripts/check.sh

chaos: dev ## Kill, freeze and flood the bridge for about twenty minutes
	@scripts/system_packages.sh tests
	@$(PY) -m pytest -m chaos $(ARGS) tests

soak: dev ## Load bridge and dashboard for SOAK_MINUTES=60 and watch what they hold
	@scripts/system_packages.sh tests
	@SOAK_MINUTES=$(SOAK_MINUTES) $(PY) -m pytest -m soak --capture=no $(ARGS) tests

e2e: dev ui ## Run the browser tests only
	@scripts/system_packages.sh tests
	@$(PYTEST) tests/e2e

bench: dev ## Measure throughput and latency on this machine
	@scripts/system_packages.sh tests
	@$(PY) -m bench.run $(ARGS)

screenshots: dev ui ## Take pictures of every view, light and dark, wide and narrow
	@scripts/system_packages.sh tests
	@$(PY) scripts/screenshots.py $(ARGS)

compose-test: dev ## Build and run docker-compose.yml for real, in a private Docker daemon (root)
	@scripts/system_packages.sh compose
	@$(PY) scripts/compose_test.py $(ARGS)

lock: ## Write the Python locks anew (ARGS=--upgrade for newer versions)
	@$(STEP) "Write requirements.lock and requirements-dev.lock" scripts/lock.sh $(ARGS)

generate: dev ## Write the generated files anew
	@$(STEP) "Generate the contract's files" $(PY) scripts/gen_contract.py
	@$(STEP) "Generate .env.example" $(PY) scripts/gen_env.py
	@$(STEP) "Generate docs/reference/cli.md" $(PY) scripts/gen_cli.py
	@$(PY) scripts/sentences.py

ci: ## Do what continuous integration does
	@.ci/run

clean: ## Remove everything that the other targets made
	@rm -rf .venv .boot .run frontend/node_modules src/mqtt_dashboard/dashboard/static \
	  bench/.cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache test-results
	@echo "Clean."
