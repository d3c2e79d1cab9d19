# `make run` and `make demo` need Python 3.11 and make, and nothing else; `make test` installs what tests need besides.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help bench-cost bench-scale run demo test check check-all lint types imports torture kills interleavings planted tables mutants bench bench-cold package deploy-test kit connectors localstack localstack-demo new-connector record lock clean

help:
	@echo "make run        serve everything on this machine, on loopback"
	@echo "make demo       six payments end to end, with their timelines"
	@echo "make localstack       serve with Chalice's own server on LocalStack, or on ministack without an account"
	@echo "make localstack-demo  the same payments there"
	@echo "make test       the test suite"
	@echo "make check      lint, types, import rules and tests: what CI runs"
	@echo "make check-all  the long tests too"
	@echo "make torture    random histories of payments, trouble included, for SECONDS (60 by default)"
	@echo "make kills          kill -9 at every commit and every call of a PSP, ROUNDS times (10000)"
	@echo "make interleavings  racing operations on one payment, in SCHEDULES orders (100000)"
	@echo "make planted        plants known bugs in a copy of the code, and shows the tests that catch each"
	@echo "make tables         makes each entry of each table wrong, and shows what no test notices"
	@echo "make mutants        changes the code of what decides about money, and shows what no test notices"
	@echo "make bench      speed as ratios to a floor"
	@echo "make bench-cost     what a million payments cost on AWS, line by line"
	@echo "make bench-scale    where the design ends, and at how many payments a second"
	@echo "make bench-cold     what a cold start of each function on Lambda takes, beside its floor"
	@echo "make package        what is deployed on AWS, into build/aws; STAGE (prod), ARCHITECTURE (arm64), CHANNELS"
	@echo "make deploy-test    deploys the package to a stand-in for AWS on this machine, and pays there"
	@echo "make new-connector  lays a connector out, NAME=psp TITLE=\"The PSP\""
	@echo "make kit        the conformance kit for one connector, PSP=name"
	@echo "make record     talks to a PSP's test environment and keeps what was said, PSP=name SETTINGS=keys.json"
	@echo "make connectors     renders docs/connectors.md from the connectors"

$(BIN)/python:
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements/run.txt | $(BIN)/python
	@echo "Installing what PaymentServer needs (once) ..."
	@$(INSTALL) -r requirements/run.txt
	@touch $@

# With the SDKs that check a connector's signatures, each beside the tests that use it.
SDKS := $(wildcard tests/connectors/*/requirements.txt)
$(VENV)/.dev: requirements/dev.txt $(SDKS) | $(BIN)/python
	@echo "Installing what developing needs (once) ..."
	@$(INSTALL) -r requirements/dev.txt $(SDKS:%=-r %)
	@touch $@ $(VENV)/.run

run: $(VENV)/.run
	@exec $(BIN)/python -m dev.launcher

demo: $(VENV)/.run
	@exec $(BIN)/python -m dev.demo

# Chalice's own server and the worker, on the AWS of LocalStack, or of ministack where nobody listens at port 4566.
localstack: $(VENV)/.run
	@exec $(BIN)/python -m dev.localstack

localstack-demo: $(VENV)/.run
	@exec $(BIN)/python -m dev.demo --launcher dev.localstack

test: $(VENV)/.dev
	@$(BIN)/python -m pytest -q -n auto -m "not long and not deployment"

lint: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.dev
	@$(BIN)/mypy

imports: $(VENV)/.dev
	@$(BIN)/lint-imports

# SECONDS, SEED, FIRST, CORES and STORE as tests/faults/torture.py says.
torture: $(VENV)/.dev
	@STORE=$(STORE) exec $(BIN)/python -m tests.faults.torture

check: lint types imports test

check-all: lint types imports
	@$(BIN)/python -m pytest -q -n auto -m "not deployment"
	@$(MAKE) deploy-test

kills: $(VENV)/.dev
	@$(BIN)/python -m tests.faults.kill --rounds $(or $(ROUNDS),10000)

interleavings: $(VENV)/.dev
	@$(BIN)/python -m tests.faults.interleave --schedules $(or $(SCHEDULES),100000)

planted: $(VENV)/.dev
	@$(BIN)/python -m tests.faults.planted

tables: $(VENV)/.dev
	@$(BIN)/python -m tests.mutants.notice

# MODULES are names as mutmut has them, such as "chalicelib.domain.fold*".
mutants: $(VENV)/.dev
	@$(BIN)/python -m tests.mutants.run $(MODULES)

bench: $(VENV)/.dev
	@$(BIN)/python -m benchmarks

bench-cost: $(VENV)/.dev
	@$(BIN)/python -m benchmarks.cost_report

bench-scale: $(VENV)/.dev
	@$(BIN)/python -m benchmarks.scale

# Chalice holds pip back to an older one, so it has an environment of its own, which is also told apart from what tests need.
PACKAGER := build/packager
$(PACKAGER)/.installed: requirements/package.txt
	@rm -rf $(PACKAGER)
	@$(PYTHON) -m venv $(PACKAGER)
	@echo "Installing what packaging needs (once) ..."
	@$(PACKAGER)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/package.txt
	@touch $@

package: $(PACKAGER)/.installed
	@$(PACKAGER)/bin/python -m infra.package --stage $(or $(STAGE),prod) --architecture $(or $(ARCHITECTURE),arm64) $(CHANNELS:%=--channel %)

bench-cold: $(VENV)/.dev $(PACKAGER)/.installed
	@$(BIN)/python -m benchmarks.cold_start

deploy-test: $(VENV)/.dev $(PACKAGER)/.installed
	@$(BIN)/python -m pytest -q -n 0 -m deployment tests/aws
kit: $(VENV)/.dev
	@$(BIN)/python -m pytest -q -n 0 tests/conformance/connectors $(if $(PSP),--psp $(PSP))

new-connector: $(VENV)/.dev
	@$(BIN)/python -m dev.new_connector "$(NAME)" "$(TITLE)"

record: $(VENV)/.dev
	@$(BIN)/python -m tests.conformance.connectors.record "$(PSP)" "$(SETTINGS)" $(if $(WEBHOOK_URL),--webhook-url "$(WEBHOOK_URL)")

connectors: $(VENV)/.dev
	@$(BIN)/python -m tests.conformance.connectors.matrix

# Pins every requirement anew.
COMPILE := $(BIN)/pip-compile --quiet --strip-extras --no-emit-index-url --no-emit-find-links --no-header --no-emit-options --no-annotate --allow-unsafe
lock: $(VENV)/.dev
	@$(COMPILE) requirements.in -o requirements.txt
	@for name in server dev run package; do $(COMPILE) requirements/$$name.in -o requirements/$$name.txt; done
	@$(COMPILE) --generate-hashes requirements/ministack.in -o requirements/ministack.txt
	@for name in requirements/channels/*.in; do $(COMPILE) $$name -o $${name%.in}.txt; done

clean:
	@rm -rf $(VENV) var build
