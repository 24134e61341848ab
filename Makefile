# Works with GNU Make 3.81 (macOS) and later. `make` alone lists the targets.

PYTHON ?= python3
PORT ?= 8501
ARGS ?=
# Who starts the console by hand wants to see what it is asked.
AVCACHE_ACCESS_LOG ?= true
export AVCACHE_ACCESS_LOG

VENV := .venv
BIN := $(VENV)/bin
RUN_STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
BENCH_STAMP := $(VENV)/.installed-bench

# The python3 of macOS is too old: look for a newer one beside it, unless the caller named one.
PYTHONS := $(strip $(PYTHON) $(if $(filter file,$(origin PYTHON)),python3.14 python3.13 python3.12 python3.11))
RECENT := import sys; sys.exit(sys.version_info < (3, 11))

.DEFAULT_GOAL := help
.PHONY: help run test lint types format bench bench-console bench-keyspace screenshots clean FORCE

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

run: $(RUN_STAMP) ## Start the console on PORT (8501)
	$(BIN)/streamlit run app.py --server.port $(PORT) --server.headless true

test: $(DEV_STAMP) ## Run all tests; ARGS="-k name -x" is passed to pytest
	$(BIN)/python -m pytest $(ARGS)

lint: $(DEV_STAMP) ## Check style and formatting
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(DEV_STAMP) ## Check types
	$(BIN)/mypy

format: $(DEV_STAMP) ## Format, and fix what can be fixed safely
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

bench: $(BENCH_STAMP) ## Measure what the cache brings, then it beside its peers; ARGS="hits bulk" takes some of that
	$(BIN)/python -m avcache bench
	PYTHONPATH=. $(BIN)/python -m benchmarks $(ARGS)

bench-console: $(BENCH_STAMP) ## Measure the console under many tabs; ARGS="--tabs 100 --keys 100000 --soak 10"
	PYTHONPATH=. $(BIN)/python -m benchmarks.console $(ARGS)

bench-keyspace: $(BENCH_STAMP) ## Measure looks, sweeps and clears among 1,000,000 keys; ARGS="looks clear --keys 100000" takes less
	PYTHONPATH=. $(BIN)/python -m benchmarks.keyspace $(ARGS)

screenshots: $(DEV_STAMP) ## Take the pictures of the README anew, of a real console
	PYTHONPATH=. $(BIN)/python docs/screenshots.py

clean: ## Remove the environment and all caches (logs stay)
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is touched last, so an interrupted install is taken up again. An environment without a working
# pip (half made), or whose Python is gone or too old, is made anew; a good one made by hand is kept.
# Each stamp waits for the one before: with -j only one pip works on the environment at a time.
$(RUN_STAMP): requirements.txt $(if $(wildcard $(BIN)/python),,FORCE)
	@if ! $(BIN)/python -c 'import pip; $(RECENT)' 2>/dev/null; then \
		found=; \
		for python in $(PYTHONS); do \
			if $$python -c '$(RECENT)' 2>/dev/null; then found=$$python; break; fi; \
		done; \
		if [ -z "$$found" ]; then \
			echo "avcache needs Python 3.11 or newer; tried: $(PYTHONS)." >&2; \
			echo "Name another one: make PYTHON=/path/to/python3" >&2; \
			exit 1; \
		fi; \
		if ! $$found -c 'import ensurepip, venv' 2>/dev/null; then \
			echo "$$found has no venv module. On Debian or Ubuntu: apt-get install python3-venv" >&2; \
			exit 1; \
		fi; \
		echo "Making $(VENV) with $$($$found --version)"; \
		$$found -m venv --clear $(VENV); \
	fi
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(DEV_STAMP): requirements-dev.txt $(RUN_STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

$(BENCH_STAMP): requirements-bench.txt $(DEV_STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-bench.txt
	@touch $@
