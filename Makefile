# Everything a checkout needs: `make demo`, `make test`.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LAB := $(VENV)/.lab
APT := gcc libc6-dev python3-venv gcc-arm-none-eabi libnewlib-arm-none-eabi

.PHONY: demo test setup lab lint

demo: setup
	$(BIN)/python examples/mnist/demo.py

test: setup lab lint
	$(BIN)/python -m pytest -n auto

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

setup: $(READY)

# TensorFlow and Keras: only the compression lab and its tests need them.
lab: $(LAB)

$(LAB): $(READY) requirements-lab.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-lab.lock
	touch $(LAB)

$(READY): pyproject.toml setup.py requirements.lock $(wildcard simulator/native/*)
	@if ! command -v arm-none-eabi-gcc >/dev/null || ! command -v gcc >/dev/null \
	    || ! python3 -c 'import ensurepip' 2>/dev/null; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(APT); \
	  else \
	    echo "tools are missing; run: sudo apt-get install $(APT)" >&2; exit 4; \
	  fi; \
	fi
	test -x $(BIN)/python || python3 -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	touch $(READY)
