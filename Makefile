# Needs make, and Python 3.10 or newer with pip. All is installed into .venv and nowhere else.
# `make demo` installs what a user needs and torch; the other targets what a developer needs.

VENV := .venv
BIN := $(VENV)/bin
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 10))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.10 python; do \
	$$p -c '$(NEW_ENOUGH)' 2>/dev/null && echo $$p && break; done)
JOBS ?= 2

.PHONY: help demo test lint types docs bench bench-verifier clean

help:
	@echo "make demo   repair the programs of examples/ and see them learn"
	@echo "make test   run the tests"
	@echo "make lint   ruff"
	@echo "make types  mypy --strict, rules included"
	@echo "make docs   write docs/rules/ and the generated parts of README.md"
	@echo "make bench  how long autofix takes, against a bare ast.parse"
	@echo "make bench-verifier ARGS='--package kornia'   how often the verifier is wrong"
	@echo "make clean  delete .venv and caches"

demo: $(VENV)/.demo
	@echo '$$ autofix apply --diff examples/'
	@$(BIN)/autofix apply --diff examples/ || test $$? -eq 1  # 1 says that there is a patch
	@echo
	@$(BIN)/python tools/demo.py
	@echo
	@echo 'Now your own code: $(BIN)/autofix check PATH'

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(JOBS) $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .

types: $(VENV)/.dev
	$(BIN)/python tools/check_types.py

docs: $(VENV)/.dev
	$(BIN)/python tools/generate_docs.py

bench: $(VENV)/.dev
	$(BIN)/python benchmarks/speed.py $(ARGS)

bench-verifier: $(VENV)/.dev
	$(BIN)/python benchmarks/verifier_mutations.py $(ARGS)

clean:
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info

$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo 'no Python 3.10 or newer found; name one: make PYTHON=...'; exit 1; }
	@$(PYTHON) -c '$(NEW_ENOUGH)' || { echo '$(PYTHON) is older than Python 3.10'; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.demo: $(VENV)/.made pyproject.toml constraints.txt
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[verify]'
	@touch $@

$(VENV)/.dev: $(VENV)/.made pyproject.toml constraints.txt
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[verify,dev]'
	@touch $@ $(VENV)/.demo
