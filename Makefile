# Two commands do all the set-up: `make up` opens Dagster's UI on a competition, `make test` passes the tests.
PYTHON ?= python3
VENV ?= .venv
PORT ?= 3000
MADE_UP := .gen404/made-up.git
export GEN404_HOME ?= $(CURDIR)/.gen404

.PHONY: up test check bench
up: $(VENV)/installed $(if $(REPO),,$(MADE_UP))
	$(VENV)/bin/gen404 up --port $(PORT) $(or $(REPO),$(MADE_UP))

test: $(VENV)/installed
	$(VENV)/bin/pytest

check: $(VENV)/installed
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy

bench: $(VENV)/installed
	$(VENV)/bin/python -m bench.replay

$(VENV)/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

$(MADE_UP): | $(VENV)/installed
	$(VENV)/bin/python -m tests.made_up $@ --rounds 5 --miners 12 --prompts 32
