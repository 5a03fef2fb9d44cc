# Needs Python 3.11 to 3.13 with venv, and nothing else: every tool comes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := pyproject.toml constraints.txt
# The first for pip as it comes with Python 3.11, the second for newer ones: both pin the build, too.
INSTALL := PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check

# Containers forbid it, and then every program that the tests start compiles what it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: test demo bench fuzz differential survive mutants format clean

test: $(VENV)/test.stamp
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy --strict
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

demo: $(VENV)/runtime.stamp
	$(BIN)/publisher demo

bench: $(VENV)/test.stamp
	$(BIN)/python benchmarks/run.py
	$(BIN)/python benchmarks/validators.py
	$(BIN)/python benchmarks/folder.py
	$(BIN)/python benchmarks/jsonl.py
	$(BIN)/python benchmarks/publish.py
	$(BIN)/python benchmarks/pull.py

fuzz: $(VENV)/test.stamp
	$(BIN)/python -m tests.fuzz

# Minutes of what tests/test_differential.py does in seconds.
differential: $(VENV)/test.stamp
	$(BIN)/python benchmarks/differential.py

# Half an hour: killed at every point and 200 times at random, and every fault on every call.
survive: $(VENV)/test.stamp
	$(BIN)/python -m tests.test_survive_crashes
	$(BIN)/python -m tests.test_survive_faults

# Ten minutes and more: every small change to data and lexicon that the tests could miss.
mutants: $(VENV)/test.stamp
	$(INSTALL) --editable '.[test,mutation]'
	rm -rf mutants
	$(BIN)/mutmut run
	$(BIN)/python -m tests.mutation.report

format: $(VENV)/test.stamp
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf $(VENV) dist build .coverage .coverage.* htmlcov
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache

# pip is what a virtual environment gets last: without it, making one was interrupted.
$(VENV)/runtime.stamp: $(SOURCES)
	test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV)
	$(INSTALL) --editable .
	touch $@

$(VENV)/test.stamp: $(SOURCES)
	test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV)
	$(INSTALL) --editable '.[test]'
	touch $(VENV)/runtime.stamp $@
