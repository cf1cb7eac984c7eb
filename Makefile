# Everything a contributor runs. Needs Python 3.11 or newer (with pip and venv) and make; no root.
#   make demo      set up and run the main job
#   make test      set up and run every check
# Another interpreter: make setup PYTHON=/path/to/python3.13 (after make clean).

ifndef PYTHON
PYTHON := $(shell for python in python3 python3.13 python3.12 python3.11; do \
	if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then command -v "$$python"; break; fi; done)
endif

# The uv on the path where it runs (a shim may exist and not run), else one of our own, from its own lock.
UV := $(shell uv --version >/dev/null 2>&1 && command -v uv || echo .venv-uv/bin/uv)
BOOTSTRAP := $(filter .venv-uv/bin/uv,$(UV))

BIN := .venv/bin
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup demo notebooks lint test docs bench lock clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*##  *\(.*\)/  make \1\t\2/p' Makefile | expand -t 18

setup: .venv/.installed  ## everything that is needed, into .venv

demo: setup  ## load real ratings, look, recommend, explain, compare; writes coterie-demo/report.html
	$(BIN)/coterie demo

notebooks: setup  ## run the course's notebooks and render them to notebooks-html (COTERIE_ML20M: on MovieLens 20M)
	$(BIN)/jupyter nbconvert --to html --execute --output-dir notebooks-html notebooks/*.ipynb

lint: setup  ## style, types and which room may import which
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint docs  ## lint, all tests, the kernels once more as plain Python, and the documentation
	$(BIN)/pytest -q -n $(WORKERS) --dist worksteal
	NUMBA_DISABLE_JIT=1 $(BIN)/pytest -q -n $(WORKERS) --dist worksteal tests/kernels

docs: setup  ## the documentation, into build/docs; any warning is an error
	$(BIN)/sphinx-build -q -W --keep-going -E -d build/doctrees docs build/docs
	@echo "The documentation is in build/docs/index.html"

bench: setup .venv-bench/.locked  ## measure against the peers, which live in .venv-bench
	$(BIN)/python -m benchmarks

lock: $(BOOTSTRAP)  ## bring the lock files in line with what is asked for (after a change of dependencies)
	$(UV) pip compile $(COMPILE) --extra demo --extra dev --extra docs -o requirements.lock pyproject.toml
	echo uv | $(UV) pip compile $(COMPILE) -o requirements-uv.lock -
	$(UV) pip compile $(COMPILE) -o benchmarks/requirements.lock benchmarks/requirements.in
	$(UV) pip compile $(COMPILE) --no-deps -o benchmarks/requirements-source.lock benchmarks/requirements-source.in
	! grep -nE '://|file:|^-|^[^ ]* @' requirements.lock requirements-uv.lock benchmarks/requirements*.lock

clean:  ## remove the environments and everything that was made
	rm -rf .venv .venv-uv .venv-bench .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	rm -rf build dist coterie-demo notebooks-html bench-results
	find . -name __pycache__ -prune -exec rm -rf {} +

# ---- environments: made when their lock is newer than they are --------------------------------------

COMPILE := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate
SYNC = $(UV) pip sync --quiet --require-hashes --python

.venv/.installed: .venv/.locked pyproject.toml
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.locked: requirements.lock | $(BOOTSTRAP) python
	@test -x $(BIN)/python || "$(PYTHON)" -m venv --without-pip .venv
	$(SYNC) $(BIN)/python $<
	@touch $@

# What has no wheels needs a C compiler; where there is none, its rows are left out of the results.
.venv-bench/.locked: benchmarks/requirements.lock benchmarks/requirements-source.lock | $(BOOTSTRAP) python
	@test -x .venv-bench/bin/python || "$(PYTHON)" -m venv --without-pip .venv-bench
	$(SYNC) .venv-bench/bin/python $<
	-$(UV) pip install --quiet --require-hashes --no-deps --python .venv-bench/bin/python \
		-r benchmarks/requirements-source.lock
	@touch $@

.venv-uv/bin/uv: requirements-uv.lock | python
	"$(PYTHON)" -m venv .venv-uv
	.venv-uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

.PHONY: python
python:
	@test -n "$(PYTHON)" || { echo "Coterie needs Python 3.11 or newer: make setup PYTHON=/path/to/python3"; exit 1; }
