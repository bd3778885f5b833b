# make demo   the core package in .venv, then a table and demo-out/report.html
# make test   the same environment with the development extras, then the tests
# make lint   style and types
# make fuzz   the event-driven kernels on random layers, under sanitizers; .iso files, 20 seconds
# make wheel  a wheel in dist/, searched for code that comes out of data
# make mutations   27 faults, one after the other, each of which some test must notice

PYTHON ?= python3
# Test processes; 0 runs in one, which is faster for a handful of tests (ARGS=tests/data).
WORKERS ?= 2
BIN := .venv/bin
PIP := $(BIN)/python -m pip install -c constraints.txt
# One thread a worker: two workers with two threads each would fight over two cores.
TEST_ENV := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1

# What is compiled when the package is installed.
NATIVE := CMakeLists.txt $(wildcard src/isospike/engine/native/*.?pp)

.PHONY: demo test lint fuzz wheel mutations clean

demo: .venv/.core
	$(BIN)/isospike demo --out demo-out

test: .venv/.dev
	$(TEST_ENV) $(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

lint: .venv/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright

fuzz: .venv/.dev
	cmake -S . -B build/fuzz -DISOSPIKE_FUZZ=ON
	cmake --build build/fuzz
	build/fuzz/fuzz_events
	$(TEST_ENV) $(BIN)/python fuzz/iso_file.py -max_total_time=20 -artifact_prefix=build/fuzz/

# Stamps, so that a second call installs nothing. The install is editable: it follows the source.
.venv/.made:
	$(PYTHON) -m venv .venv
	touch $@

.venv/.core: pyproject.toml constraints.txt $(NATIVE) | .venv/.made
	$(PIP) -e .
	touch $@

.venv/.dev: pyproject.toml constraints.txt $(NATIVE) | .venv/.made
	$(PIP) -e '.[dev]'
	touch .venv/.core $@

wheel: .venv/.dev
	rm -rf dist
	$(BIN)/python -m pip wheel -q -c constraints.txt --no-deps -w dist .
	$(BIN)/python tests/abuse/code.py dist/*.whl

mutations: .venv/.dev
	$(TEST_ENV) $(BIN)/python tests/mutations/gate.py --jobs $(WORKERS)

clean:
	rm -rf .venv demo-out dist
