# The words of this project, the same for a person and for CI. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?= $(CURDIR)/.edgeinfer
ARGS ?=
# Where Python keeps no bytecode, as in many images, each process that a test starts would compile the whole package.
check test test-quick: export PYTHONDONTWRITEBYTECODE :=
# Modules stay whole, because their tests share a browser or a server. Three, because some wait while two cores work.
THREE_AT_ONCE := $(BIN)/pytest -q --numprocesses=3 --dist=loadfile

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | sort | awk -F'\t' '{printf "  %-26s %s\n", $$1, $$2}'

# What runs; `make run` needs no more.
$(VENV)/running: requirements-runtime.lock requirements-build.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON): not found. Install python3 (3.11 or newer) and python3-venv."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $(PYTHON) is older than 3.11. Set PYTHON=/path/to/python3.11."; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "error: python3-venv is missing. Install it: apt-get install python3-venv"; exit 1; }
	@[ -w . ] || { echo "error: this folder belongs to $$(stat -c %U .), and $(VENV) is made in it. Clone the repository as $$(id -un)."; exit 1; }
	@[ ! -e $(VENV) ] || [ -w $(VENV) ] || { echo "error: $(VENV) belongs to $$(stat -c %U $(VENV)), and is to be changed. Run: sudo chown -R $$(id -un) $(VENV)"; exit 1; }
	@echo "Setting up $(VENV) (once, about half a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python tools/install_packages.py requirements-build.lock requirements-runtime.lock
	@$(BIN)/python tools/install_checkout.py
	@touch $@

# What tests and checks need as well.
$(VENV)/ready: $(VENV)/running requirements.lock
	@echo "Setting up the tools for tests and checks (once, about half a minute)"
	@$(BIN)/python tools/install_packages.py requirements.lock
	@touch $@

setup: $(VENV)/ready ## Set up the environment in .venv

run: $(VENV)/running ## Run the whole stack on this machine and replay a recorded session
	@$(BIN)/edgeinfer up --data-folder "$(DATA)" $(ARGS)

test: setup setup-monitoring setup-browser setup-fleet setup-clients check ## Check everything, then the whole suite
	@trap 'exit 130' INT; tools/run_suite.sh $(BIN)/pytest $(BIN)/python

test-quick: setup ## The suite without real processes and browser
	@$(THREE_AT_ONCE) -m "not end_to_end and not browser"

# A path may have spaces.
STACK = DATA="$$(realpath -m "$(DATA)")" deploy/stack.sh
# The stack of compose if its gateway runs, else the native one on $(DATA), else one of the test's own.
LOAD_TEST = $(BIN)/edgeinfer load-test --running-stack --data-folder "$(DATA)" $$($(STACK) compose-addresses)

test-e2e: setup setup-monitoring ## Whole sessions across real processes, and on the stack that runs, if one runs
	@if $(STACK) is-running; then $(LOAD_TEST) --users 1 --seconds 10; fi
	@$(BIN)/pytest -q -m end_to_end

test-performance-quick: setup setup-monitoring ## Load the stack that runs, else one of its own: 5 users, 15 s
	@$(LOAD_TEST) --own-stack --profile quick $(ARGS)

test-performance: setup setup-monitoring ## Load the stack that runs, else one of its own: 10 users, 60 s
	@$(LOAD_TEST) --own-stack $(ARGS)

test-performance-stress: setup setup-monitoring ## Load the stack that runs, else one of its own, with more and more users
	@$(LOAD_TEST) --own-stack --profile stress $(ARGS)

chaos: setup setup-monitoring ## Break everything on purpose and see each alert arrive
	@library=$$(tools/setup_clock.sh); $(BIN)/python -m chaos --parallel 2 $${library:+--libfaketime "$$library"} $(ARGS)

test-chip: setup ## Play every failure of a Hailo chip, and two hours of its life, on the fake (a quarter of an hour)
	@$(BIN)/python -m tools.failure_table
	@$(BIN)/python -m tools.frame_life --minutes 120

bench-frames: setup ## Measure one and several frames in flight on a simulated chip (two minutes)
	@$(BIN)/python -m benchmarks.frames_in_flight $(ARGS)

month: setup setup-monitoring ## Write thirty synthetic days of one device to build/month, for tools.measure_dashboards (half an hour)
	@nice $(BIN)/python -m tools.backfill --days 30 $(ARGS) build/month

fuzz: setup ## Throw malformed input and hostile connections at all services for ten minutes
	@$(BIN)/python -m tools.fuzz --minutes 10 $(ARGS)

additions: setup ## Make the seven additions of the guides in a scratch clone, and forget each step once (minutes)
	@$(BIN)/python -m tools.additions $(ARGS)

power-cut-matrix: setup setup-monitoring ## Damage each file of a data folder in each way, and start on it (an hour)
	@$(BIN)/python -m tools.power_cut_matrix $(ARGS)

store-proof: setup ## Kill the session store 1000 times and cut its power 200 times, under load (ten minutes)
	@$(BIN)/python -m tools.store_proof $(ARGS)

bench: setup ## Compare the sidecar with other model servers (wrk from Debian; an hour, ARGS=--short ten minutes)
	@benchmarks/peers/setup.sh
	@$(BIN)/python -m benchmarks.compare $(ARGS)

foreign-sidecars: setup ## Replay a recording through a gateway in front of MLServer, Triton and the template (three minutes)
	@benchmarks/peers/setup.sh mlserver pytriton
	@$(BIN)/python -m tools.foreign_sidecars

open-inference-clients: setup ## Ask the sidecar with unchanged clients of Triton and KServe, and compare every bit (two minutes)
	@benchmarks/peers/setup.sh clients
	@$(BIN)/python -m tools.open_inference_clients

published-description: setup ## Compare the sidecar with the published description of the Open Inference Protocol (a minute)
	@benchmarks/peers/setup.sh mlserver
	@$(BIN)/python -m tools.published_description $(ARGS)

trace-proof: setup ## Trace requests through a real collector, and check that the parts of a trace add up (a minute)
	@benchmarks/peers/setup.sh rotel
	@$(BIN)/python -m tools.trace_proof $(ARGS)

bench-open-inference: setup ## Compare the ways to ask the sidecar, in bits and in CPU time (two minutes)
	@$(BIN)/python -m benchmarks.open_inference_cost

bench-phones: setup setup-monitoring ## Measure what phones cost, against a tutorial's gateway and the floor (an hour; ARGS="--against FOLDER")
	@$(BIN)/python -m benchmarks.phones --report docs/reports/phones.md $(ARGS)

bench-growth: setup setup-monitoring ## Measure how a phone's cost grows with phones, sessions kept and days of history (half an hour)
	@$(BIN)/python -m benchmarks.phone_growth --report docs/reports/growth.md --picture docs/pictures/growth.svg $(ARGS)

soak-phones: setup setup-monitoring ## Stream phones for an hour: nothing fails, nothing is lost, memory is flat (ARGS="--phones 75 --minutes 60")
	@$(BIN)/python -m benchmarks.phone_soak --report docs/reports/phones-for-long.md $(ARGS)

setup-monitoring: setup ## Find or fetch Prometheus and Alertmanager
	@$(BIN)/edgeinfer doctor --fetch --only prometheus

audit: setup ## Ask the package index for known vulnerabilities of what ships
	@tools/audit.sh

setup-fleet: ## Find or fetch VictoriaMetrics for the fleet's test
	@tools/setup_fleet.sh

versions: setup ## Test rules, panels and fleet with each Prometheus, Alertmanager and VictoriaMetrics of Debian (half an hour)
	@nice $(BIN)/python -m tools.versions $(ARGS)

arm64-proof: setup ## Answer a recorded session on an emulated ARM processor, and compare (minutes)
	@$(BIN)/python -m tools.arm64_proof

odd-machines: setup setup-monitoring ## Run the stack on machines without network, home, locale, curl or git (root, Linux; minutes)
	@$(BIN)/python -m tools.odd_machines $(ARGS)

setup-clients: ## Find or install the clients of others that the tests run (JDK, Go, curl, wget, Perl, Node)
	@tools/setup_clients.sh

setup-browser: setup ## Find or install Chromium and the page checkers of the tests
	@tools/setup_browser.sh

check: setup ## Lint, types, import layers, vocabulary, generated files
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m tools.completeness
	@$(BIN)/python -m tools.vocabulary --check
	@$(BIN)/python -m tools.generate --check

fix: setup ## Format and fix what the linter can fix
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

generate: setup ## Write every generated file
	@$(BIN)/python -m tools.generate

lock: setup ## Compile the lock files from pyproject.toml, and check that each line has wheels for every Python
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --group dev --generate-hashes \
	  --custom-compile-command "make lock" pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --constraints requirements.lock \
	  --custom-compile-command "make lock" pyproject.toml -o requirements-runtime.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --constraints requirements.lock \
	  --extra traces --custom-compile-command "make lock" pyproject.toml -o requirements-traces.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --constraints requirements.lock \
	  --extra grpc --custom-compile-command "make lock" pyproject.toml -o requirements-grpc.lock
	@printf '%s\n' hatchling editables | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --constraints requirements.lock --custom-compile-command "make lock" - -o requirements-build.lock
	@echo 'pip-audit>=2.9' | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --custom-compile-command "make lock" - -o requirements-audit.lock
	@echo 'numpy>=1.26,<2' | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --custom-compile-command "make lock" - -o requirements-hailo4.lock
	@$(BIN)/python -m tools.wheel_check requirements-build.lock requirements-runtime.lock requirements-traces.lock

# --- Production: the compose stack. Without a docker engine the same words run the native stack in the background.
# deploy/stack.sh reports what is missing; settings are in deploy/.env (see deploy/env.example).
image: ## Build the image of all services
image-digests: ## Print the digests of the pulled images, for deploy/.env
hailo-stub: ## Gateway and a sidecar with synthetic answers, in compose
hailo-cpu: ## Gateway and a sidecar with the model on the CPU, in compose
hailo-device: ## Gateway, sidecar and exporter on the Hailo chip, in compose
monitoring-up: ## Prometheus, Alertmanager, Grafana and console, in compose
monitoring-down: ## Stop these again; measurements stay
stack-down: ## Stop the whole stack; measurements stay

image image-digests monitoring-down stack-down:
	@$(STACK) $@

hailo-stub hailo-cpu hailo-device monitoring-up:
	@docker info >/dev/null 2>&1 || $(MAKE) --no-print-directory --silent $(VENV)/running
	@$(STACK) $@

wheel: setup ## Build the wheel into dist, with the lock file of what it needs
	@$(BIN)/python -m hatchling build -t wheel -d dist
	@cp requirements-runtime.lock dist/

docker-proof: setup ## Build and try the whole compose stack on a private docker engine (root, Debian; minutes)
	@tools/docker_proof.sh

SYSTEM ?= bookworm
machine-proof: setup ## Follow the Raspberry Pi guide in a whole Debian that boots: SYSTEM=bookworm or trixie (root, Debian; minutes)
	@$(BIN)/python -m tools.machine_proof $(SYSTEM) $(ARGS)

.PHONY: machine-proof
.PHONY: arm64-proof odd-machines versions audit additions fuzz power-cut-matrix setup-clients setup-fleet image image-digests hailo-stub hailo-cpu hailo-device monitoring-up monitoring-down stack-down wheel docker-proof
.PHONY: help setup run test test-quick test-e2e test-performance-quick test-performance test-performance-stress chaos setup-monitoring setup-browser check fix generate lock

verify-units: setup ## Check the systemd units with systemd's own checker, and show how exposed each is
	@command -v systemd-analyze >/dev/null || { echo "Installing systemd for systemd-analyze"; apt-get install --yes --quiet systemd; }
	@$(BIN)/pytest -q tests/deploy/test_systemd.py
	@for unit in deploy/systemd/*.service; do systemd-analyze security --offline=true $$unit | tail -1; done

.PHONY: bench bench-frames bench-growth bench-phones bench-open-inference foreign-sidecars open-inference-clients month soak-phones store-proof test-chip trace-proof verify-units
