PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROCESSES ?= 2
# Which process gets which tests, and in what order, is in tests/conftest.py.
PYTEST := $(BIN)/python -m pytest -n $(PROCESSES) --no-loadscope-reorder

.PHONY: quickstart test test-all check docs bench clean

quickstart: $(VENV)/.installed
	$(BIN)/hpo-vs-adapt run studies/quickstart.yaml

test: $(VENV)/.installed-test
	$(PYTEST) -m "not long"

# With the tests that take long, for once a week.
test-all: $(VENV)/.installed-test
	$(PYTEST)

check: $(VENV)/.installed-test docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(PYTEST) -m "not long"

# Into site/, which opens from disk.
docs: $(VENV)/.installed-test
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: $(VENV)/.installed-test
	$(BIN)/python -m tests.benchmarks

# The stamps make a second call install nothing.
$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dashboard]'
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable '.[dashboard,docs,test]'
	touch $@

clean:
	rm -rf $(VENV) runs site
