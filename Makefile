# Everything a newcomer, a developer or a CI needs. `make help` lists it.
#
# Build output goes where cargo puts it: set CARGO_TARGET_DIR to have it elsewhere.

CARGO ?= cargo
ORACLES = $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/strongroom/oracles
SDKS = $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/strongroom/sdks
TESTS = $(CARGO) test --workspace --features test-hooks
QUICK = architecture:: auth0:: goldens:: harness:: native:: openapi:: pingfederate:: zitadel::
# Faults of modules and hosts, which are waited out.
OF_FAULTS = faults:: outages::
# What the store has a part in; the provider never meets it.
ON_POSTGRES = postgres:: recovery:: idempotency:: rotation:: crashes:: concurrency:: keys:: rings:: --skip provider::
LEFT_OUT = $(addprefix --skip ,$(shell sed '/^\#/d' tests/left-out-of-quick))

TARGET = key_files
SECONDS = 900

.DEFAULT_GOAL := help
.PHONY: help demo run quick test test-containers sdk bench soak faults fuzz check fmt setup clean tests-built unit

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "  make %-16s %s\n", $$1, $$2 }'

demo: setup ## the main job from beginning to end on a fresh token, each step printed
	@softhsm/demo

run: setup ## keep a daemon running in the foreground (ARGS="--listen 127.0.0.1:9980 --data DIR")
	@$(CARGO) run --bin strongroom -- dev $(ARGS)

quick: ## unit tests, goldens and dialects on LOCAL keys: a minute without token, Python or Node.js
	$(TESTS) --exclude strongroom-faults --lib -- $(LEFT_OUT)
	STRONGROOM_TEST_KEYS=LOCAL $(TESTS) --test suite -- $(QUICK) $(LEFT_OUT)

test: setup ## every test that needs no container engine
	@tests/postgres/setup
	@echo "make test: preparing the OpenAPI validator and the JOSE libraries in $(ORACLES)"
	@tests/oracles/setup "$(ORACLES)"
	@echo "make test: building the fault-injecting module, the daemon and the tests (minutes the first time)"
	@tests/part "build of the tests" 5 $(MAKE) --no-print-directory tests-built
	@tests/part "unit tests" 4 $(MAKE) --no-print-directory unit
	@STRONGROOM_ORACLES_PYTHON="$(ORACLES)/bin/python" \
		tests/part "suite on SQLite" 9 $(TESTS) --test suite -- --skip postgres:: $(addprefix --skip ,$(OF_FAULTS))
	@STRONGROOM_ORACLES_PYTHON="$(ORACLES)/bin/python" tests/part faults 3 $(TESTS) --test suite -- $(OF_FAULTS)
	@STRONGROOM_TEST_STORE=postgres STRONGROOM_ORACLES_PYTHON="$(ORACLES)/bin/python" \
		tests/part "suite on PostgreSQL" 5 $(TESTS) --test suite -- $(ON_POSTGRES)
	@tests/closing-line

tests-built:
	$(CARGO) build -p strongroom-faults
	$(TESTS) --no-run

# Everything but the suite, and the hooks in a build that has none.
unit:
	$(CARGO) test -p strongroom-domain --test hooks
	$(TESTS) --lib --bins --examples --test hooks --test softhsm

test-containers: ## build the image and test it; needs a container engine
	STRONGROOM_CONTAINERS=1 $(TESTS) --test suite containers:: -- --nocapture

sdk: setup ## the products' own SDKs, at pinned versions, against a daemon on a fresh token
	@echo "make sdk: preparing the SDKs in $(SDKS)"
	@tests/sdk/setup "$(SDKS)"
	$(CARGO) build
	@tests/part SDKs 5 tests/sdk/run "$(SDKS)"

bench: setup ## rates of the bare token and of the daemon on it, as ratios; a release build and minutes (PARTS="signatures large")
	$(CARGO) bench --bench speed -- $(PARTS)

soak: setup ## two minutes of signatures at 256 connections, in peace and with hosts killed (SOAK_SECONDS=60 each)
	@tests/oracles/setup "$(ORACLES)"
	STRONGROOM_ORACLES_PYTHON="$(ORACLES)/bin/python" $(CARGO) bench --bench soak

faults: setup ## every fault of a PKCS#11 module under load, as a table (FAULT_SECONDS=3 each, FAULTS=part of a function's name)
	$(CARGO) build -p strongroom-faults
	$(CARGO) bench --bench faults --profile dev

fuzz: ## give a target of fuzz/ hostile bytes (TARGET=key_files SECONDS=900); needs cargo-fuzz
	@$(CARGO) fuzz --version >/dev/null || { echo "make fuzz: cargo install cargo-fuzz --version ^0.13"; exit 1; }
	@mkdir -p fuzz/corpus/$(TARGET)
	RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run $(TARGET) fuzz/corpus/$(TARGET) fuzz/seeds/$(TARGET) -- -max_total_time=$(SECONDS) -timeout=30

check: ## formatting and lints, as CI wants them
	@tests/part formatting 1 $(CARGO) fmt --all -- --check
	@tests/part lints 3 $(CARGO) clippy --workspace --all-targets -- -D warnings
	@tests/part "lints with test hooks" 3 $(CARGO) clippy --workspace --all-targets --features test-hooks -- -D warnings

fmt: ## format everything
	$(CARGO) fmt --all

setup: ## find or install SoftHSM, pkcs11-tool, openssl, keytool, curl, Python, Node.js and a C compiler
	@softhsm/setup

clean: ## remove build output, the tests' oracles and the SDKs
	$(CARGO) clean
	rm -rf "$(ORACLES)" "$(SDKS)"
