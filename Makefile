# Contact Streams: the same few verbs for people and for CI. `make` alone lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Neither the index in use nor a path of this machine may reach the locks.
COMPILE := env CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links

# Of what pip says, how far it is and what is wrong.
PIP_SAYS := /^Collecting / { if (++found % 25 == 0) print "  " found " of " packages " are there"; fflush(); next } \
	/^Installing collected/ { print "  unpacking them ..."; fflush(); next } \
	/^pip ended with / { code = $$4; next } \
	!/^(Successfully| +(Using cached|Downloading|Attempting|Found existing|Uninstalling|Successfully)|Requirement already|$$)/ { print; fflush() } \
	END { exit code }

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-faults test-nightly check format docs bench bench-all bench-boards bench-growth bench-latency bench-peers bench-serving bench-webhooks guard lock sbom setup

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## run everything on this machine with an embedded broker (DEMO_SECONDS=60 ends it by itself, ARGS="--port 8080")
	$(BIN)/contact-streams demo $(if $(DEMO_SECONDS),--seconds $(DEMO_SECONDS)) $(ARGS)

# Of each test one holds, which tests/deploy/test_what_fails.py checks.
PURE := not (alone or asterisk or browser or embedded or faults or kafka or nightly or provider)
SHARING := (asterisk or browser or embedded or faults or kafka or provider) and not (alone or nightly)
ALONE := alone and not nightly
OF_PURE := $(VENV)/pure.log

# What runs brokers, browsers and processes waits most of the time: two files of it share the cores, and what needs nothing else fills the gaps
# at low priority. What is judged by the clock has the cores for itself.
test: $(READY) ## run the tests; what needs a missing service is skipped, in CI it fails (ARGS="-k name" to pick)
ifdef ARGS
	$(BIN)/python -m pytest $(ARGS)
else
	@failed=0; \
	nice -n 10 $(BIN)/python -m pytest -m "$(PURE)" --numprocesses auto >$(OF_PURE) 2>&1 & pure=$$!; \
	trap 'kill $$pure 2>/dev/null; exit 130' INT TERM; \
	$(BIN)/python -m pytest -m "$(SHARING)" --numprocesses 2 --dist loadfile --no-loadscope-reorder || failed=1; \
	echo "tests that need no service, from $(OF_PURE):"; \
	wait $$pure || failed=1; \
	cat $(OF_PURE); \
	$(BIN)/python -m pytest -m "$(ALONE)" || failed=1; \
	exit $$failed
endif

# The others of tests/faults are in `make test` or `make test-nightly`.
UNDER_FAULTS := $(addprefix tests/,$(addprefix faults/test_,product_under_faults.py product_when_brokers_fail.py serving_is_killed.py \
	gateway_is_killed.py) nightly/test_day_in_any_order.py)

test-faults: $(READY) ## run 20 rounds under load in which processes and brokers are killed and paused; prints seeds and figures
	CONTACT_STREAMS_FAULT_ROUNDS=$${CONTACT_STREAMS_FAULT_ROUNDS:-20} \
		$(BIN)/python -m pytest $(UNDER_FAULTS) -m "nightly or not nightly" -rP $(ARGS)

test-nightly: $(READY) ## run the long forms: a day, a million records, full disks; each prints its figures
	$(BIN)/python -m pytest -m nightly -rP $(ARGS)

check: $(READY) ## lint, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY) ## fix what the linter can fix, then format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY) ## regenerate schemas and the pages made from code
	$(BIN)/python -m schemas.generate
	$(BIN)/python -m streams.catalogue.docs
	$(BIN)/python -m streams.access.docs
	$(BIN)/python -m streams.configuration.docs
	$(BIN)/python -m streams.connectors.docs
	$(BIN)/python -m streams.serving.docs
	$(BIN)/python -m deploy.grafana.generate

bench: $(READY) ## measure what an event costs, beside a plain loop and five figures on other engines (ARGS="--events 1500000")
	$(BIN)/python -m benchmarks.pipeline --rate 1 200 --peers all $(ARGS)

bench-all: $(READY) ## run bench, bench-latency, bench-growth and bench-serving in their long form, one after the other: some 20 minutes on a quiet machine
	@failed=0; \
	$(BIN)/python -m benchmarks.pipeline --rate 1 200 --peers all --events 1500000 || failed=1; \
	$(BIN)/python -m benchmarks.latency --page --peers kafka-streams --seconds 20 || failed=1; \
	$(BIN)/python -m benchmarks.growth || failed=1; \
	$(BIN)/python -m benchmarks.serving || failed=1; \
	exit $$failed

bench-peers: $(READY) ## build the programs of other engines that bench runs beside the worker, without running them
	$(BIN)/python -m benchmarks.pipeline --peers all --build $(ARGS)

bench-latency: $(READY) ## measure how long a figure takes to be readable, in the topic and on the page, beside Kafka Streams
	$(BIN)/python -m benchmarks.latency --page --peers kafka-streams $(ARGS)

bench-growth: $(READY) ## measure what an event costs over queues, agents, contacts in flight, partitions and workers
	$(BIN)/python -m benchmarks.growth $(ARGS)

bench-serving: $(READY) ## measure serve for up to 1,000 queues and 10,000 agents
	$(BIN)/python -m benchmarks.serving $(ARGS)

bench-boards: $(READY) ## measure 200 open boards on one server of 1,000 queues, with and without a login
	$(BIN)/python -m benchmarks.boards $(ARGS)

bench-webhooks: $(READY) ## measure verified webhooks a second through one gateway on one core
	$(BIN)/python -m benchmarks.webhooks --kafka $(ARGS)

lock: $(READY) ## choose the dependencies anew, with hashes
	$(COMPILE) --upgrade --extra amazon --extra demo --extra dev --extra imap --extra login --extra parquet --extra sftp --extra xlsx --output-file requirements-dev.lock pyproject.toml
	$(COMPILE) --constraint requirements-dev.lock --extra login --output-file requirements.lock pyproject.toml

sbom: $(READY) ## write what the image holds beside Python as CycloneDX into dist/
	@mkdir -p dist
	$(BIN)/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --mc-type application --output-reproducible \
		--output-format JSON --spec-version 1.6 --validate --output-file dist/contact-streams.cdx.json
	$(BIN)/python -m streams.serving.vendored dist/contact-streams.cdx.json

guard: $(READY) ## count what an event costs in instructions and compare with benchmarks/instructions.json
	$(BIN)/python -m benchmarks.instructions $(ARGS)

setup: $(READY) ## make .venv ready; every other verb does so by itself

# Everything comes from the lock, setuptools too: without build isolation nothing unpinned is fetched.
$(READY): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "contact-streams needs Python 3.11 or later; $(PYTHON) is older or missing. Try: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@packages=$$(grep -c '^[a-z0-9].*==' requirements-dev.lock); \
	echo "Installing the $$packages packages of requirements-dev.lock into $(VENV), once: some two minutes."; \
	{ $(BIN)/python -m pip install --progress-bar off --disable-pip-version-check --require-hashes --only-binary :all: \
		-r requirements-dev.lock 2>&1; echo "pip ended with $$?"; } | awk -v packages=$$packages '$(PIP_SAYS)'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
