# What there is to do in this repository; `make` lists it. CI runs .ci/run and nothing else.
PYTHON ?= .venv/bin/python
BIN := $(dir $(PYTHON))

.DEFAULT_GOAL := list
.PHONY: list init demo up test lint format types contracts schemas check lock bench ci

list: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

init: ## an environment in .venv with everything that requirements.lock pins
	python3 -m venv .venv
	.venv/bin/pip install --require-hashes -r requirements.lock
	.venv/bin/pip install --no-deps -e .

demo: ## import the Jobber example into ./hub-data
	$(BIN)hub import examples/jobber/clients.csv examples/jobber/jobs.csv examples/jobber/invoices.csv --yes

up: ## all services and the API in one process tree
	$(BIN)hub up

test: ## all tests
	$(BIN)pytest

lint: ## ruff
	$(BIN)ruff check .
	$(BIN)ruff format --check .

format: ## let ruff write what it can
	$(BIN)ruff check --fix .
	$(BIN)ruff format .

types: ## mypy, strict
	$(BIN)mypy

contracts: ## who may import what
	$(BIN)lint-imports

schemas: ## write JSON schemas, the pages of topics and metrics, the AsyncAPI and the OpenAPI document
	$(PYTHON) -m shared.messages.generate
	$(PYTHON) -m shared.observability.generate_metrics_page
	$(PYTHON) -m services.openapi

check: lint types contracts ## everything CI checks besides the tests
	$(PYTHON) -m shared.messages.generate --check
	$(PYTHON) -m shared.observability.generate_metrics_page --check
	$(PYTHON) -m services.openapi --check

lock: ## pin every dependency with its hashes (needs uv)
	uv pip compile --quiet --generate-hashes --universal --python-version 3.11 pyproject.toml --extra kafka --extra mongo --extra test \
		--no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" -o requirements.lock

bench: ## the import of 700,000 records against a hand-written copy
	$(PYTHON) -m benchmarks.trio

ci: ## exactly what CI runs
	.ci/run
