# What each target does: `make help`. Needs Python 3.11 or newer (`make PYTHON=python3.13 …`).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

# The versions that development and CI use; `make LOCKED=` takes the newest ones.
LOCKED := requirements-dev.lock
CONSTRAINT = $(if $(LOCKED),--constraint $(LOCKED))

WORKERS := 3
PYTEST = BYTES_SQUADS_REQUIRE_POSTGRES=1 $(BIN)/python -m pytest --numprocesses $(WORKERS) $(COVERAGE)
# Each file of the long tests in one worker: their fixtures serve a file.
BY_FILE := --dist loadfile --no-loadscope-reorder
MINUTES := 5
DOCS := build/docs
CLIENTS := $(VENV)/clients/installed $(VENV)/py-cord/installed
FAST_TESTS := tests/unit tests/operations tests/schema tests/cli
UVLOOP_TESTS := tests/operations tests/laws tests/chaos/test_byte_sweep.py

# Without compiled modules each process that a test starts would compile the package again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test test-fast test-long test-clients test-lowest test-uvloop check forget-coverage lint lock docs picture chaos mutation-check bench clean

help:  ## Show this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*##/\t/' | expand -t 13

demo: $(VENV)/installed  ## Play two weeks of a guild on a SQLite file and show the result
	@$(BIN)/bytes-squads demo

test: $(VENV)/installed-test  ## Run the suite on SQLite and on PostgreSQL, without its long tests
	$(PYTEST) --dist worksteal -m "not long" $(OPTIONS)

test-fast: $(VENV)/installed-test  ## Run the tests of operations, schema and command line on SQLite, in seconds
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal -m "not postgres and not long" $(FAST_TESTS)

test-long: $(VENV)/installed-test  ## Run the long tests: those of processes, of servers that are killed, of documents
	$(PYTEST) $(BY_FILE) -m long $(OPTIONS)

test-clients: $(VENV)/installed-test $(CLIENTS)  ## Run the tests that install packages: bots on other libraries, the README in an empty folder
	BYTES_SQUADS_TEST_INSTALL=1 $(BIN)/python -m pytest --numprocesses 2 \
		tests/docs/test_clients.py tests/docs/test_web_apps.py tests/docs/test_readme.py

test-uvloop: $(VENV)/installed-test  ## Run the tests of operations, transactions and faults on uvloop
	$(PIP) uvloop
	BYTES_SQUADS_TEST_UVLOOP=1 $(BIN)/python -m pytest --numprocesses 2 $(UVLOOP_TESTS)

test-lowest: $(BIN)/python  ## Run all tests with the lowest versions that pyproject.toml allows
	$(PIP) uv
	$(BIN)/uv venv --quiet --clear --seed --python $(BIN)/python build/lowest
	$(BIN)/uv pip install --quiet --python build/lowest --resolution lowest-direct --editable '.[test]'
	build/lowest/bin/python -m pytest --numprocesses $(WORKERS) $(BY_FILE)

check: COVERAGE = --cov=bytes_squads --cov-append --cov-report=
check: lint docs forget-coverage test test-long  ## Run all that must pass: linter, formatter, types, documentation, all tests with coverage
	$(BIN)/coverage report --skip-covered --fail-under=95

forget-coverage: $(VENV)/installed-dev
	@$(BIN)/coverage erase

lint: $(VENV)/installed-dev  ## Run the linter, the formatter and the type checker
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --strict

lock: $(BIN)/python  ## Write requirements-dev.lock: the newest versions of all packages for development
	$(PIP) uv
	UV_CUSTOM_COMPILE_COMMAND='make lock' $(BIN)/uv pip compile --quiet --upgrade --universal \
		--python-version 3.11 --extra bench --extra dev --group clients --no-annotate --no-emit-index-url \
		--no-emit-find-links --output-file requirements-dev.lock pyproject.toml

docs: $(VENV)/installed-docs  ## Make the documentation, build/docs/index.html; a warning is an error
	@$(BIN)/python -m sphinx --builder html --fail-on-warning --keep-going --nitpicky --quiet \
		--doctree-dir $(DOCS).doctrees docs $(DOCS)
	@echo "The documentation is $(DOCS)/index.html"

picture: $(VENV)/installed  ## Draw the demo's picture in README.md and on the index page again
	$(BIN)/python docs/draw_demo.py

chaos: $(VENV)/installed-test  ## Kill, cancel and cut off for MINUTES=5 on a separate PostgreSQL; print a report
	PYTHONPATH=tests $(BIN)/python tests/chaos/chaos.py --minutes $(MINUTES)

mutation-check: $(VENV)/installed-test  ## Remove one safeguard at a time; list the tests that fail
	$(BIN)/python tests/chaos/mutation_check.py

bench: $(VENV)/installed-bench  ## Measure other implementations too; FLAGS=--quick to check that it works
	$(BIN)/python -m benchmarks run $(FLAGS)

clean:  ## Remove the virtual environment, caches, build output and the demo's file
	rm -rf $(VENV) build dist htmlcov .coverage .coverage.* .hypothesis
	rm -rf .mypy_cache .pytest_cache .ruff_cache bytes_squads_demo.db*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The package stands in the environment as an editable install: a changed source needs no new one,
# a changed pyproject.toml or lock does.

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(BIN)/python pyproject.toml $(LOCKED)
	@echo "Installing into $(VENV) …"
	@$(PIP) $(CONSTRAINT) --editable .
	@touch $@

$(VENV)/installed-test: $(BIN)/python pyproject.toml $(LOCKED)
	@echo "Installing into $(VENV) …"
	@$(PIP) $(CONSTRAINT) --editable '.[test]'
	@touch $(VENV)/installed $@

$(VENV)/installed-dev: $(BIN)/python pyproject.toml $(LOCKED)
	@echo "Installing into $(VENV) …"
	@$(PIP) $(CONSTRAINT) --editable '.[dev]'
	@touch $(VENV)/installed $(VENV)/installed-docs $(VENV)/installed-test $@

$(VENV)/installed-docs: $(BIN)/python pyproject.toml $(LOCKED)
	@echo "Installing into $(VENV) …"
	@$(PIP) $(CONSTRAINT) --editable '.[docs]'
	@touch $(VENV)/installed $@

# Beside the environment: the packages `discord` of nextcord 2 and py-cord are not discord.py's.
$(VENV)/clients/installed: $(BIN)/python $(LOCKED)
	@$(PIP) $(CONSTRAINT) --upgrade --target $(@D) disnake hikari nextcord
	@touch $@

$(VENV)/py-cord/installed: $(BIN)/python $(LOCKED)
	@$(PIP) $(CONSTRAINT) --upgrade --target $(@D) py-cord
	@touch $@

$(VENV)/installed-bench: $(BIN)/python pyproject.toml $(LOCKED)
	@echo "Installing into $(VENV) …"
	@$(PIP) $(CONSTRAINT) --editable '.[bench]'
	@touch $(VENV)/installed $@
