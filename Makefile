# 渝研: see README.md. Every target works on a fresh clone; what is installed stays in .yuyan/venv.
.DEFAULT_GOAL := help
.PHONY: help run test test-long down clean bench bench-memory docs lint contracts lock bundle bundle-test image-test pitr-test s3-test chaos
SHELL := /bin/sh

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' && echo $$p && break; done)
VENV := .yuyan/venv
BIN := $(VENV)/bin
# Named after the content of the lock and of what we install, so that an environment is made anew exactly when they have changed.
digest = $(shell cat requirements/$(1) pyproject.toml include/demo/pyproject.toml 2>/dev/null | cksum | tr ' ' '-')
INSTALLED := $(VENV)/.installed-$(call digest,lock.txt)
BENCH_VENV := .yuyan/bench-venv
BENCH_INSTALLED := $(BENCH_VENV)/.installed-$(call digest,bench.txt)
S3_VENV := .yuyan/s3-venv
S3_INSTALLED := $(S3_VENV)/.installed-$(call digest,s3.txt)
PIP := -m pip install --quiet --disable-pip-version-check --no-deps
# Two workers of one thread each: polars' own pool, on tables of some rows, mostly waits for itself.
TESTS = POLARS_MAX_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadscope

help: ## show this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' Makefile | expand -t 13
	@echo 'make run SCALE=0.02 SEED=7 runs a smaller or another simulated city; SCALE=1 is all of it, the default 1/15.'

run: $(INSTALLED) ## install, start everything, run the next simulated day, print the indicators
	@$(BIN)/yuyan run $(if $(SCALE),--scale $(SCALE)) $(if $(SEED),--seed $(SEED))

test: $(INSTALLED) ## install and run the tests, but for the thirteen longest
	@$(TESTS) --no-loadscope-reorder

test-long: $(INSTALLED) ## run the thirteen that take a minute or more each: how-tos followed to the end, a day through Airflow that is interrupted, every layer on rows let pass and on extreme values, a replay from elsewhere, what is made in part day by day beside the whole
	@$(TESTS) -m long

down: $(INSTALLED) ## stop everything; data stay
	@$(BIN)/yuyan down

clean: $(INSTALLED) ## stop everything and forget all data; the installed environment stays
	@$(BIN)/yuyan clean

bench: $(INSTALLED) $(BENCH_INSTALLED) ## ratios of speed against peers and floors
	@for what in collect.py validate.py 'validate.py 0.667 1' failing.py orchestration.py allocate.py; do \
		echo "== $$what"; $(BIN)/python bench/$$what || exit 1; done

bench-memory: $(INSTALLED) ## memory of a collection at the largest that the limits allow, against a normal day (minutes)
	@$(BIN)/python bench/memory.py $(ROWS)

docs: $(INSTALLED) ## write the generated documents, and the rule directory and indicator dictionary as pages into .yuyan/docs
	@$(BIN)/python -m yuyan.pages.documentation

lint: $(INSTALLED) ## format and lint checks
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

contracts: $(INSTALLED) ## export the contracts as Open Data Contracts and lint them (needs a package registry)
	@$(BIN)/yuyan contracts export --to .yuyan/contracts
	@test -x .yuyan/lint/bin/datacontract || { $(PYTHON) -m venv .yuyan/lint && .yuyan/lint/bin/pip install --quiet datacontract-cli==1.2.8; }
	@for file in .yuyan/contracts/*.odcs.yaml; do \
		.yuyan/lint/bin/datacontract lint $$file >.yuyan/contracts/lint.log 2>&1 || { cat .yuyan/contracts/lint.log; exit 1; }; done
	@echo 'datacontract lint accepts all of them'

lock: ## resolve requirements/*.in into locks with hashes (needs a package registry)
	@test -x .yuyan/tools/bin/uv || { $(PYTHON) -m venv .yuyan/tools && .yuyan/tools/bin/pip install --quiet uv==0.13.9; }
	@for pair in pip:pip test:lock bench:bench base:product s3:s3; do \
		.yuyan/tools/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
			--no-strip-extras requirements/$${pair%:*}.in $$(case $$pair in base:*|s3:*) echo '-c requirements/lock.txt';; esac) -o requirements/$${pair#*:}.txt || exit 1; done

bundle: | python ## what a machine without a network needs, into .yuyan/bundle (needs a package registry)
	@PYTHON='$(PYTHON)' sh deploy/bundle.sh .yuyan/bundle

bundle-test: $(INSTALLED) ## make a bundle and run the line from it without a network (root; minutes)
	@$(BIN)/python -m pytest -q lanes/test_bundle.py

image-test: $(INSTALLED) ## build the images with buildah and run every service's command in them (root; minutes)
	@$(BIN)/python -m pytest -q -s lanes/test_image.py

pitr-test: $(INSTALLED) ## bring a day back from a base backup and archived WAL
	@$(BIN)/python -m pytest -q lanes/test_pitr.py

s3-test: $(S3_INSTALLED) ## land in an S3 bucket, of a server on this machine, and run two days of the line on it (needs a package registry; minutes)
	@test -x .yuyan/moto/bin/moto_server || { $(PYTHON) -m venv .yuyan/moto && .yuyan/moto/bin/pip install --quiet 'moto[server,s3]==5.*'; }
	@$(S3_VENV)/bin/python -m pytest -q -p no:cacheprovider lanes/test_object_store.py

chaos: $(INSTALLED) ## disturb a city at random moments, then compare it with an undisturbed one (root; some hours; RUNS=50 SEED=1 ONLY=17 JOBS=2)
	@$(BIN)/python lanes/chaos.py --runs $(or $(RUNS),50) --seed $(or $(SEED),1) --jobs $(or $(JOBS),2) $(if $(ONLY),--only $(ONLY))

# $(call locked,ENVIRONMENT,LOCK …): a newer pip comes first, since that of Python 3.11 takes more than twice as long; modules are compiled by
# all cores afterwards (some packages bring templates that are no Python: those are left).
define locked
	@test -x $(1)/bin/python || $(PYTHON) -m venv $(1)
	@for lock in pip.txt $(2); do $(1)/bin/python $(PIP) --no-compile --require-hashes -r requirements/$$lock || exit 1; done
	@$(1)/bin/python -m compileall -qq -j 0 $(1)/lib || true
endef
# $(call product,ENVIRONMENT): the product itself, as it lies here.
product = @$(1)/bin/python $(PIP) --no-build-isolation -e . -e include/demo

$(INSTALLED): | python
	@echo 'installing the locked environment into $(VENV) …'
	$(call locked,$(VENV),lock.txt)
	$(call product,$(VENV))
	@rm -f $(VENV)/.installed-* && touch $@

$(BENCH_INSTALLED): | python
	@echo 'installing the peers to compare with into $(BENCH_VENV) …'
	$(call locked,$(BENCH_VENV),bench.txt)
	@rm -f $(BENCH_VENV)/.installed-* && touch $@

$(S3_INSTALLED): | python
	@echo 'installing the product with what an S3 bucket needs into $(S3_VENV) …'
	$(call locked,$(S3_VENV),lock.txt s3.txt)
	$(call product,$(S3_VENV))
	@rm -f $(S3_VENV)/.installed-* && touch $@

.PHONY: python
python:
	@test -n '$(PYTHON)' || { echo 'Python 3.11 or newer is needed: install it, or name it with make PYTHON=/path/to/python3' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo '$(PYTHON) is older than Python 3.11: name a newer one with make PYTHON=/path/to/python3' >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
		echo '$(PYTHON) lacks the venv module: install it (Debian and Ubuntu: the package python3-venv)' >&2; exit 1; }
