# Everything a newcomer types. `make run` and `make test` work on a fresh machine with Python >= 3.11 and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LAMBDA_PYTHON := $(VENV)/lambda-python
LAMBDA_NODEJS := $(VENV)/lambda-nodejs
LAMBDA_JAVA := $(VENV)/lambda-java
LAMBDA_POWERTOOLS := $(VENV)/lambda-powertools
DATA ?= .cloudlet
PORT ?= 4566

.PHONY: help setup setup-dev lambda-java run test lint format bench docs lock clean

help: ## list what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# Bytecode is made here, cheaply when there is some: where Python is told to write none (PYTHONDONTWRITEBYTECODE), a
# server would compile itself at every start, which takes as long as all the rest of it.
setup: $(VENV)/.cloudlet $(LAMBDA_NODEJS)/node_modules ## fill .venv from the locked dependencies
	@$(BIN)/python -m compileall -q src
setup-dev: setup $(VENV)/.dev ## the same, with what tests and checks need

$(BIN)/python:
	@PYTHON="$(PYTHON)" sh scripts/make-venv $(VENV)

$(VENV)/.cloudlet: $(BIN)/python requirements/cloudlet.txt requirements/lambda-python.txt pyproject.toml
	$(BIN)/pip install -q --require-hashes -r requirements/cloudlet.txt
	$(BIN)/pip install -q --require-hashes --upgrade --target $(LAMBDA_PYTHON) -r requirements/lambda-python.txt
	$(BIN)/pip install -q --require-hashes -r requirements/build.txt
	$(BIN)/pip install -q --no-deps --no-build-isolation -e .
	@touch $@

# What Node.js functions find installed, as on AWS. A machine without Node.js has no use for it.
$(LAMBDA_NODEJS)/node_modules: $(VENV)/.cloudlet requirements/lambda-nodejs/package-lock.json
	@sh scripts/install-lambda-nodejs $(LAMBDA_NODEJS)

$(VENV)/.dev: $(VENV)/.cloudlet requirements/dev.txt requirements/lambda-powertools.txt
	$(BIN)/pip install -q --require-hashes -r requirements/dev.txt
	@rm -rf $(LAMBDA_POWERTOOLS)
	$(BIN)/pip install -q --require-hashes --target $(LAMBDA_POWERTOOLS) -r requirements/lambda-powertools.txt
	@touch $@

lambda-java: $(LAMBDA_JAVA)/.made ## fetch what functions in Java need, by maven
$(LAMBDA_JAVA)/.made: scripts/lambda-java/pom.xml
	mvn -q -B -f $< dependency:copy-dependencies -DoutputDirectory=$(abspath $(LAMBDA_JAVA))
	@touch $@

run: setup ## start Cloudlet, deploy the inventory application, upload sample files, show the dashboard's address
	@PATH="$(abspath $(BIN)):$$PATH" sh scripts/run --data $(DATA) --port $(PORT)

test: setup-dev ## run all tests
	@sh scripts/check-machine test
	$(BIN)/pytest -n 2 --dist loadfile

lint: setup-dev ## what CI checks beside the tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/pyright
	$(BIN)/cfn-lint apps/*/template.yaml
	$(BIN)/python docs/generate.py --check

format: setup-dev ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup-dev ## measure Cloudlet against other servers in one run
	@sh scripts/make-venv $(VENV)/bench
	$(VENV)/bench/bin/pip install -q --require-hashes -r requirements/bench.txt
	$(BIN)/python -m bench

lock: setup ## resolve the dependencies of pyproject.toml again
	sh scripts/lock

clean: ## remove what setup made
	rm -rf $(VENV)
