# Two commands do everything: `make backtest` and `make test`. Both set up .venv first, from this repository's files.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# Two processes of one thread each: two of them with two threads would wait for each other on two cores. The tests of a
# file stay in one process, so that what they share is made once.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

.PHONY: backtest test test-slow lint bench clean

backtest: .venv/run.stamp
	$(BIN)/tsforecast backtest --config configs/sensors.yaml --out runs/sensors --overwrite
	$(BIN)/tsforecast backtest --config configs/prices.yaml --out runs/prices --overwrite
	@echo "The reports: runs/sensors/report.html and runs/prices/report.html"

test: .venv/dev.stamp
	$(PYTEST)

test-slow: .venv/dev.stamp
	$(PYTEST) -m slow

lint: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/dev.stamp
	$(BIN)/python tests/benchmarks/training_step.py

.venv/python.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 ..."; exit 2; }
	$(PYTHON) -m venv .venv
	touch $@

.venv/run.stamp: .venv/python.stamp pyproject.toml constraints.txt
	$(PIP) -e .
	touch $@

.venv/dev.stamp: .venv/python.stamp pyproject.toml constraints.txt
	$(PIP) -e '.[dev]'
	touch .venv/run.stamp $@

clean:
	rm -rf .venv runs .pytest_cache .mypy_cache .ruff_cache .hypothesis
