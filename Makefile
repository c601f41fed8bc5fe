# Everything starts from a fresh clone with Python 3.11+ and make: `make demo`, `make test`.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
CONTRACT := tests/contract
export OMP_NUM_THREADS ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo serve test fuzz check format openapi bench clean

help:  ## What can be made
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: $(INSTALLED)  ## A year of a small wholesaler, planned, ordered, received, and served
	@$(BIN)/scm-api demo --data-dir .data/demo

serve: $(INSTALLED)  ## Serve the API on http://127.0.0.1:8000 with its own PostgreSQL
	@$(BIN)/scm-api serve

test: $(INSTALLED) $(CONTRACT)/node_modules/.installed  ## All tests
	$(BIN)/pytest

fuzz: $(INSTALLED)  ## Every evil value in every place, every foreign id, schemathesis (1 hour)
	SCM_FUZZ=full $(BIN)/pytest tests/contract/test_evil_values.py \
	  tests/contract/test_tenancy.py tests/contract/test_people_tenancy.py
	$(BIN)/python -m tests.contract.schemathesis_run 3

check: $(INSTALLED)  ## Format, lint, types, layers, and the committed OpenAPI document
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/scm-api openapi --check
	$(BIN)/python scripts/role_matrix.py --check

format: $(INSTALLED)  ## Format and sort imports
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format .

openapi: $(INSTALLED)  ## Write openapi/openapi.json and docs/role-matrix.csv anew
	@$(BIN)/scm-api openapi
	@$(BIN)/python scripts/role_matrix.py

bench: $(INSTALLED)  ## Run the published measurements again
	$(BIN)/python -m bench

clean:  ## Remove what was made here, the demo's data included
	rm -rf .venv .data dist .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	rm -rf $(CONTRACT)/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed: make PYTHON=...") if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || { echo "Making .venv ..."; $(PYTHON) -m venv .venv; }
	@echo "Installing (a minute the first time) ..."
	@$(BIN)/python -m pip install --quiet 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable . --group dev
	@touch $@

# Client generators run on Node.js; where there is none, their tests are not collected.
$(CONTRACT)/node_modules/.installed: $(wildcard $(CONTRACT)/package.json $(CONTRACT)/package-lock.json)
	@if [ -f $(CONTRACT)/package-lock.json ] && command -v npm >/dev/null; then \
	  npm ci --prefix $(CONTRACT) --no-audit --no-fund --loglevel=error; \
	fi
	@if [ -d $(CONTRACT)/node_modules ]; then touch $@; fi
