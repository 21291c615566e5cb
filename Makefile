# Everything a newcomer types: `make demo` to see it work, `make test` to know it works.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed

.DEFAULT_GOAL := help
.PHONY: help demo test lint docs image-test cluster-test clean

help:  ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

# Torch goes first and alone: a pinned torch takes the small CPU build where one is offered.
$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=…")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(INSTALLED)  ## run the app on data/demo into demo-output/ and say where the report is
	$(BIN)/aslprep_nn data/demo demo-output participant
	$(BIN)/aslprep_nn data/demo demo-output group
	@echo "Open $(CURDIR)/demo-output/sub-01.html in a browser."

test: lint  ## run every check and test
	$(BIN)/python -m pytest -n auto

lint: $(INSTALLED)  ## check style and types
	$(BIN)/ruff format --check aslprep_nn tests benchmarks containers
	$(BIN)/ruff check aslprep_nn tests benchmarks containers
	$(BIN)/mypy

docs: $(INSTALLED)  ## write the pages that are made from the tests' own tables
	PYTHONPATH=tests $(BIN)/python -m protocols.document

image-test: $(INSTALLED)  ## build the image without an engine, run the demo in it, compare
	$(BIN)/python containers/image_test.py

cluster-test: $(INSTALLED)  ## take a cohort through SLURM and Dask, compare
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[cluster]'
	$(BIN)/python containers/cluster_test.py $(WAYS)

clean:  ## remove what the other commands made
	rm -rf $(VENV) demo-output build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
