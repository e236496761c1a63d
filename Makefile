# What each target does: `make help`. Needs Python 3.11 or newer (`make PYTHON=python3.13 …`).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

MINUTES := 5
DOCS := build/docs

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test check lint docs storm mutants bench clean

help:  ## Show this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*##/\t/' | expand -t 10

demo: $(VENV)/installed  ## Play two weeks of a guild on a SQLite file and show what came of it
	@$(BIN)/bytes-squads demo

test: $(VENV)/installed-test  ## Run the whole suite on SQLite and on PostgreSQL
	BYTES_SQUADS_REQUIRE_POSTGRES=1 $(BIN)/python -m pytest $(COVERAGE)

check: COVERAGE = --cov=bytes_squads --cov-report=term-missing:skip-covered --cov-fail-under=95
check: lint docs test  ## Run all that must pass: linter, formatter, types, documentation, the suite with coverage

lint: $(VENV)/installed-dev  ## Run the linter, the formatter and the type checker
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --strict

docs: $(VENV)/installed-docs  ## Make the documentation, build/docs/index.html; a warning is an error
	@$(BIN)/python -m sphinx --builder html --fail-on-warning --keep-going --nitpicky --quiet \
		--doctree-dir $(DOCS).doctrees docs $(DOCS)
	@echo "The documentation is $(DOCS)/index.html"

storm: $(VENV)/installed-test  ## Kill, cancel and cut off for MINUTES=5 on a PostgreSQL of its own; print a report
	$(BIN)/python tests/storm.py --minutes $(MINUTES)

mutants: $(VENV)/installed-test  ## Take out one safeguard at a time and see which tests notice
	$(BIN)/python tests/mutations.py

bench: $(VENV)/installed-bench  ## Measure beside other means; FLAGS=--quick to see that it works
	$(BIN)/python -m benchmarks run $(FLAGS)

clean:  ## Remove the virtual environment, caches, build output and the demo's file
	rm -rf $(VENV) build dist htmlcov .coverage .coverage.* .hypothesis
	rm -rf .mypy_cache .pytest_cache .ruff_cache bytes_squads_demo.db*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The package stands in the environment as an editable install: a changed source needs no new one,
# a changed pyproject.toml does.

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(BIN)/python pyproject.toml
	@echo "Installing into $(VENV) …"
	@$(PIP) --editable .
	@touch $@

$(VENV)/installed-test: $(BIN)/python pyproject.toml
	@echo "Installing into $(VENV) …"
	@$(PIP) --editable '.[test]'
	@touch $(VENV)/installed $@

$(VENV)/installed-dev: $(BIN)/python pyproject.toml
	@echo "Installing into $(VENV) …"
	@$(PIP) --editable '.[dev]'
	@touch $(VENV)/installed $(VENV)/installed-docs $(VENV)/installed-test $@

$(VENV)/installed-docs: $(BIN)/python pyproject.toml
	@echo "Installing into $(VENV) …"
	@$(PIP) --editable '.[docs]'
	@touch $(VENV)/installed $@

$(VENV)/installed-bench: $(BIN)/python pyproject.toml
	@echo "Installing into $(VENV) …"
	@$(PIP) --editable '.[bench]'
	@touch $(VENV)/installed $@
