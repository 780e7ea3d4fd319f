# `make run` and `make test` are all one needs; both build .venv first, which is quick when nothing changed.

.DEFAULT_GOAL := help
.PHONY: help setup run test faults bench test-browser lint lock openapi clean

# The first of these that is 3.11 to 3.13; `make PYTHON=/path/to/python` chooses another.
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
ifeq ($(origin PYTHON), undefined)
PYTHON := $(shell for each in python3 python3.13 python3.12 python3.11; do \
	if $$each -c '$(FITS)' 2>/dev/null; then echo $$each; break; fi; done)
endif

BIN := .venv/bin
STAMP := .venv/.installed
CLIENT := tests/browser/client
ARGS ?=

help:
	@echo "make run           the whole of YouSync on http://127.0.0.1:8000, with a demonstration (ARGS='--port 9000')"
	@echo "make test          lint, types, import rules and all tests that need nothing but Python (ARGS=tests/web)"
	@echo "make faults        every process killed at every point it could die, every outage, every promise broken (half an hour)"
	@echo "make bench         the speed beside the old design and the least possible, into docs/benchmarks.md (12 minutes)"
	@echo "make test-browser  the tests in a real browser and of the TypeScript client (Debian packages: chromium chromium-driver nodejs npm)"
	@echo "make lint          everything of 'make test' but the tests"
	@echo "make setup         .venv with everything from requirements.lock"
	@echo "make lock          resolve requirements.lock anew (needs uv)"
	@echo "make openapi       docs/openapi.json anew, after the API has changed"
	@echo "make clean         remove .venv and caches; data in .yousync stays"

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "YouSync needs Python 3.11, 3.12 or 3.13; none is on PATH. Name one: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c '$(FITS)' || { echo "YouSync needs Python 3.11, 3.12 or 3.13; $(PYTHON) is $$($(PYTHON) -V 2>&1)" >&2; exit 1; }
	@$(BIN)/python -c '$(FITS)' 2>/dev/null || rm -rf .venv
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { rm -rf .venv; echo "Python's venv module is incomplete; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "installing into .venv, a minute or two the first time"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes --only-binary :all: -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

run: setup
	@$(BIN)/yousync up --demo $(ARGS)

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

# Two processes share the tests, file by file in their order; ARGS="-n 0" for one that a debugger can stop.
SHARED := $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

test: lint
	$(SHARED) -m "not browser" $(ARGS)

faults: setup
	FAULTS=all $(SHARED) tests/faults $(ARGS)

bench: setup
	@$(BIN)/python -m benchmarks $(ARGS)

$(CLIENT)/node_modules/.installed: $(CLIENT)/package-lock.json
	@command -v npm >/dev/null || { echo "The TypeScript client needs Node 20 and npm: apt-get install nodejs npm" >&2; exit 1; }
	@npm ci --prefix $(CLIENT) --ignore-scripts --no-audit --no-fund --loglevel error
	@touch $@

test-browser: setup $(CLIENT)/node_modules/.installed
	@{ command -v chromium && command -v chromedriver; } >/dev/null || { echo "The browser tests need Debian's packages: apt-get install chromium chromium-driver" >&2; exit 1; }
	$(BIN)/pytest -m browser $(ARGS)

lock:
	uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet --output-file requirements.lock

openapi: setup
	$(BIN)/yousync openapi docs/openapi.json

clean:
	rm -rf .venv benchmarks/.venv $(CLIENT)/node_modules $(CLIENT)/generated .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
