# Everything runs in a virtual environment of its own; nothing has to be prepared by hand.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help install demo test check bench format clean

help:  ## show the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "umanflow needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

install: $(VENV)/installed  ## make .venv with the pinned versions

demo: install  ## the whole road on a simulated city, about two minutes
	$(BIN)/umanflow demo

test: install  ## all tests on all processors, with coverage
	@tests/programs.sh || true
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

check: install  ## format, lint, types, import contract
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install  ## format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# what benchmarks compare with, beyond what the tests need
$(VENV)/compared: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[bench]'
	touch $@

bench: $(VENV)/compared  ## benchmarks; each prints one JSON line
	$(BIN)/python benchmarks/engine.py
	$(BIN)/python benchmarks/simulator.py
	$(BIN)/python benchmarks/batch.py
	$(BIN)/python benchmarks/batch_memory.py
	$(BIN)/python benchmarks/fast_batch.py
	$(BIN)/python benchmarks/moments.py
	$(BIN)/python benchmarks/kernels.py
	$(BIN)/python benchmarks/run_lengths.py
	$(BIN)/python benchmarks/codec.py
	$(BIN)/python benchmarks/reading.py
	$(BIN)/python benchmarks/sensitivity.py
	$(BIN)/python benchmarks/screening.py
	$(BIN)/python benchmarks/faults.py
	$(BIN)/python benchmarks/poller.py
	$(BIN)/python benchmarks/historian.py
	$(BIN)/python benchmarks/alarms.py
	$(BIN)/python benchmarks/ingest.py
	$(BIN)/python benchmarks/uman_figures.py
	$(BIN)/python benchmarks/renewal.py
	$(BIN)/python benchmarks/sensors.py
	$(BIN)/python benchmarks/demo_seeds.py
	$(BIN)/python benchmarks/calibration_of_places.py --tables docs/validation/other_networks.csv
	@if [ -d ../shared/data/bwdf ]; then $(BIN)/python benchmarks/forecast.py && $(BIN)/python benchmarks/inflow_leaks.py; else echo 'no DMA inflows: python benchmarks/forecast.py --data FILE'; fi
	$(BIN)/python benchmarks/hanoi_leaks.py --scenarios 10
	$(BIN)/python benchmarks/other_networks.py --quick
	@if [ -d ../shared/data/ltown ]; then $(BIN)/python benchmarks/ltown.py && $(BIN)/python benchmarks/ablation.py --quick && $(BIN)/python benchmarks/rules_beside.py --quick && $(BIN)/python benchmarks/estimation.py && $(BIN)/python benchmarks/report.py; else echo 'no L-Town data: python benchmarks/ltown.py --data DIR'; fi

clean:  ## remove what is made
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .coverage out
