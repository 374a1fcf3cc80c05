PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROCESSES ?= 2
PYTEST := $(BIN)/python -m pytest -n $(PROCESSES) --dist loadgroup --no-loadscope-reorder

.PHONY: quickstart test check bench clean

quickstart: $(VENV)/.installed
	$(BIN)/hpo-vs-adapt run studies/quickstart.yaml

test: $(VENV)/.installed-test
	$(PYTEST)

check: $(VENV)/.installed-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(PYTEST)

bench: $(VENV)/.installed-test
	$(BIN)/python -m tests.benchmarks

# The stamps make a second call install nothing.
$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dashboard]'
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable '.[dashboard,test]'
	touch $@

clean:
	rm -rf $(VENV) runs
