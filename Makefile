# Everything a person types. Each target prepares what it needs; done work is not repeated.
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
LOCKED := $(VENV)/.locked
PROJECT := $(VENV)/.project
TORCH := $(VENV)/.torch
TORCH_VERSION := 2.13.0
TRAINING := .cache/training
EXTRAS := client server worker embedded parquet demo dev
ARGS ?=

# What a bundle installed asks no network. With PROCTOR_WHEELS=FOLDER packages come from there alone, such as a bundle's.
ifneq ($(PROCTOR_WHEELS)$(wildcard .offline),)
export PROCTOR_OFFLINE := 1
endif
REQUIREMENTS := requirements.lock
ifneq ($(PROCTOR_WHEELS),)
export PIP_NO_INDEX := 1
export PIP_FIND_LINKS := $(abspath $(PROCTOR_WHEELS) baseline_model/wheels)
REQUIREMENTS := $(or $(wildcard $(PROCTOR_WHEELS)/requirements.txt),requirements.lock)
endif
NO_PACKAGES := { echo "Packages could not be had. Without a network: make setup PROCTOR_WHEELS=FOLDER, such as" \
	"wheels/ of a bundle; see docs/operations.md, Without a network." >&2; exit 1; }

.DEFAULT_GOAL := help
.PHONY: help setup engine podman squashfs bubblewrap browser proxies registry slurm third-party torch demo up test test-long check bench mutants evaluator-wheel release bundle train lock clean

help: ## show this
	@echo "Proctor: container challenges on data nobody may see"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  \033[36mmake %-15s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  Options go through ARGS, for example: make demo ARGS=--exit"

setup: $(PROJECT) ## virtual environment with the locked dependencies

engine: ## a container engine that answers (starts or installs one if it may)
	@scripts/engine

podman: ## Podman that answers, as root (starts or installs it if it may)
	@scripts/podman

squashfs: ## squashfs-tools, which read SIF files (installs them if it may)
	@scripts/squashfs

bubblewrap: ## bubblewrap, with which the tests stand in for Apptainer (installs it if it may)
	@scripts/bubblewrap

browser: ## Chromium, which the tests of the pages look with (installs it if it may)
	@scripts/browser >/dev/null

proxies: ## nginx and Caddy, which the tests put before the server (installs them if it may)
	@scripts/proxies

registry: ## a container registry and skopeo, for the tests of pushes (installs them if it may; starts nothing)
	@scripts/registry

slurm: ## Slurm and munge, for the tests of pilots (installs them if it may; starts nothing)
	@scripts/slurm

third-party: setup ## scripts of others that pages use, by exact version (ARGS="--from FOLDER" without a network)
	$(BIN)/python -m scripts.third_party $(ARGS)

demo: setup engine ## the whole platform with synthetic data, from upload to leaderboard
	@scripts/squashfs --optional
	@$(BIN)/python -m scripts.third_party
	$(BIN)/python -m demo $(ARGS)

up: setup engine ## run the platform here: database, server, workers (ARGS="--port 8426")
	@scripts/squashfs --optional
	@$(BIN)/python -m scripts.third_party
	$(BIN)/python -m worker.admin up $(ARGS)

test: check engine squashfs bubblewrap browser proxies registry slurm ## lint, types and the tests, on a real engine, database, broker and browser
	@scripts/podman --optional
	@$(BIN)/python -m scripts.third_party --tests --strict
	$(BIN)/python -m pytest --numprocesses 3 $(ARGS)

test-long: setup torch engine squashfs bubblewrap slurm ## the slow tests
	@scripts/podman --optional
	@$(BIN)/python -m scripts.third_party --strict
	$(BIN)/python -m pytest -m long $(ARGS)

check: setup torch ## lint, format, types, import rules, lengths
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m scripts.budgets

bench: setup engine ## measure against named alternatives
	$(BIN)/python -m benchmarks $(ARGS)

mutants: setup ## small defects in metrics and ranking, and whether the tests notice (ARGS="--limit 20")
	$(BIN)/python -m scripts.mutants $(ARGS)

evaluator-wheel: setup ## the evaluator alone, as a wheel in dist/
	$(PIP) wheel --quiet --no-deps --no-build-isolation --wheel-dir dist distributions/evaluator

release: setup ## wheels, requirements, what they stand on and checksums in dist/release (ARGS=--images: container images too)
	@$(BIN)/python -m scripts.third_party --strict
	$(BIN)/python -m scripts.release $(ARGS)

bundle: setup engine ## one archive that installs where there is no network (ARGS="--image NAME" takes more images)
	@$(BIN)/python -m scripts.third_party --strict
	$(BIN)/python -m scripts.bundle $(ARGS)

train: setup torch $(TRAINING) ## make the baseline's checkpoint again, from synthetic scans
	OMP_NUM_THREADS=1 $(BIN)/python -m baseline_model.train all --data $(TRAINING) --run $(TRAINING)-run $(ARGS)

$(TRAINING): | setup
	rm -rf $@.part
	$(BIN)/python -m demo.brains $@.part/pretraining --split pretraining --cases 96 --seed 2026
	$(BIN)/python -m demo.brains $@.part --split finetune --task task1 --cases 32 --seed 2026
	$(BIN)/python -m demo.brains $@.part --split finetune --task task2 --cases 32 --seed 2026
	$(BIN)/python -m demo.brains $@.part --split finetune --task task3 --cases 64 --seed 2026
	$(BIN)/python -m demo.brains $@.part --split finetune --task task4 --cases 16 --seed 2026
	$(BIN)/python -m demo.brains $@.part --split finetune --task task5 --cases 96 --seed 2026
	mv $@.part $@

lock: setup ## write requirements.lock again from pyproject.toml
	$(PIP) install --quiet uv
	$(BIN)/uv pip compile --universal --python-version 3.11 --upgrade --no-annotate --no-header \
		--no-emit-index-url --quiet $(addprefix --extra ,$(EXTRAS)) --output-file requirements.lock pyproject.toml

clean: ## remove the virtual environment and caches; data stays
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

torch: $(TORCH)

$(VENV)/bin/python:
	scripts/venv $(VENV)

$(LOCKED): requirements.lock | $(VENV)/bin/python
	@echo "Setting up $(VENV): about $$(grep -c == $(REQUIREMENTS)) packages, a few minutes at the first time"
	@$(PIP) install --quiet --requirement $(REQUIREMENTS) || $(NO_PACKAGES)
	@touch $@

$(PROJECT): pyproject.toml $(LOCKED)
	@$(PIP) install --quiet --no-deps --editable . || $(NO_PACKAGES)
	@touch $@

$(TORCH): $(LOCKED)
	@echo "Fetching PyTorch $(TORCH_VERSION), which is large"
	@$(PIP) install --quiet torch==$(TORCH_VERSION) || $(NO_PACKAGES)
	@touch $@
