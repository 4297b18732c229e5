# Two commands do all the set-up: `make demo` runs a competition on this machine, `make test` passes the tests.
PYTHON ?= python3
VENV ?= .venv
PORT ?= 3000
MADE_UP := .gen404/made-up.git
export GEN404_HOME ?= $(CURDIR)/.gen404

SOURCES := gen404_assets sensors resources gpu simulators
# In the order of tests/conftest.py; on four processes, since tests wait for much of their time.
TOGETHER := pytest -n 4 --dist loadfile --no-loadscope-reorder
MINUTES ?= 10
SEED ?= 1

.PHONY: demo browse test thorough coverage check bench torture system
demo: $(VENV)/installed system $(VENV)/warm
	exec $(VENV)/bin/gen404 up --port $(PORT)

browse: $(VENV)/installed $(if $(REPO),,$(MADE_UP))
	exec $(VENV)/bin/gen404 browse --port $(PORT) $(or $(REPO),$(MADE_UP))

test: $(VENV)/installed system $(VENV)/warm
	@sh bin/system-packages openssh-client gnupg
	@sh bin/system-packages postgresql || echo 'the tests on a real PostgreSQL are skipped'
	$(VENV)/bin/$(TOGETHER)

# The same, with the whole of each sweep of which the suite takes a sample: an hour or so.
thorough:
	THOROUGH=1 $(MAKE) test

# The same tests, measured: a third slower or so.
coverage: $(VENV)/installed system $(VENV)/warm
	$(VENV)/bin/coverage erase
	$(VENV)/bin/coverage run -m $(TOGETHER)
	$(VENV)/bin/coverage combine --quiet
	$(VENV)/bin/coverage report

check: $(VENV)/installed
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-cache
	sh bin/check-definitions $(VENV)/bin/dg

bench: $(VENV)/installed system
	$(VENV)/bin/python -m bench.replay
	$(VENV)/bin/python -m bench.mirror
	$(VENV)/bin/python -m bench.judge
	$(VENV)/bin/python -m bench.regenerate
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --editable '.[bench]'
	$(VENV)/bin/python -m bench.render

# Rounds that are disturbed on purpose (docs/torture.md).
torture: $(VENV)/installed
	$(VENV)/bin/python -m bench.torture --minutes $(MINUTES) --seed $(SEED)

$(VENV)/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

# Dozens of processes start in a round: none of them is to compile the sources again.
$(VENV)/compiled: $(VENV)/installed $(wildcard $(SOURCES:=/*.py) $(SOURCES:=/*/*.py))
	@$(VENV)/bin/python -m compileall -q $(SOURCES)
	@touch $@

# What the renderer's workers load is compiled once, not in each of them as it starts.
$(VENV)/warm: $(VENV)/compiled $(wildcard gpu/*.py gpu/*/*.py) | system
	$(VENV)/bin/gen404 warm-up
	@touch $@

# The renderer draws with OpenGL through EGL; where there is no GPU, Mesa draws on the CPU.
system:
	@sh bin/system-packages libegl1 libgl1 libgl1-mesa-dri

$(MADE_UP): | $(VENV)/installed
	$(VENV)/bin/python -m simulators.histories $@ --rounds 5 --miners 12 --prompts 32
