# Everything a newcomer types. Each target sets up what it needs in .venv: no root, nothing installed by hand.
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
unexport PYTHONDONTWRITEBYTECODE  # what was compiled once is, for every worker and every program that a test starts

.PHONY: demo simulate simulate-nightly sweep test walls screenshots kill rebuild crash lint audit sbom lock clean bench bench-gateway docs

demo: .venv/runtime  ## an epic from the label to merged pull requests, on this machine, no accounts
	@$(BIN)/callboard demo $(ARGS)

test: .venv/development  ## the whole test suite
	@$(BIN)/python -m pytest --numprocesses auto --dist worksteal $(ARGS)

walls: .venv/development  ## the attacks of the suite: the last line says how many succeeded, and 0 must
	@$(BIN)/python -m pytest -m attack --numprocesses auto --dist worksteal $(ARGS)

kill: .venv/development  ## the real service killed ROUNDS times (50) at random moments: nothing lost, nothing doubled
	@$(BIN)/python -m bot.simulator.kill.command --rounds $(or $(ROUNDS),50) --seed $(or $(SEED),1) $(ARGS)

crash: .venv/development  ## killed before, in and after every side effect, with and without its database: the same end (POINT=name: one; POINT=story or story/verb: a part)
	@CALLBOARD_CRASH=$(or $(POINT),all) $(BIN)/python -m pytest tests/stories/crash --numprocesses auto --dist worksteal --tb short $(ARGS)

bench: .venv/development  ## first figures, printed; ARGS="--write docs/performance.md" writes them down
	@$(BIN)/python -m bot.simulator.bench $(ARGS)

bench-gateway: .venv/development  ## what the model gateway adds to a request: below 5 ms at the median, or exit code 1
	@$(BIN)/python -m bot.simulator.bench_gateway

rebuild: .venv/development  ## everything lost but Linear and GitHub: seconds and requests until TICKETS (500) are known again
	@$(BIN)/python -m bot.simulator.kill.rebuild --tickets $(or $(TICKETS),500)

screenshots: .venv/runtime  ## docs/images: the pages while the demo plays (needs Chromium)
	@$(BIN)/python -m bot.simulator.demo.screenshots docs/images

SEEDS ?= 1
SEED ?= 0
simulate: .venv/development  ## the whole service in simulated worlds: SEEDS=1000 stories, or one told in full: SEED=7
	@$(BIN)/python -m tests.simulation --seeds $(SEEDS) --seed $(SEED) $(ARGS)

simulate-nightly: .venv/development  ## a hundred thousand stories
	@$(BIN)/python -m tests.simulation --seeds 100000 $(ARGS)

sweep: .venv/development  ## bugs planted into a copy of the service, each found by the simulation: caught C of P
	@$(BIN)/python -m tests.simulation.sweep $(ARGS)

docs: .venv/runtime  ## the reference of the policy in docs/configuration.md, made from its models
	@$(BIN)/python -m bot.reference

lint: .venv/development  ## formatting, style, types, and who may import whom
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.venv/bin/python:
	@echo "· making .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv .venv

.venv/runtime: requirements.lock pyproject.toml | .venv/bin/python
	@echo "· installing Callboard (about 250 MB the first time, once)"
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on --only-binary :all: --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/development: requirements-dev.lock .venv/runtime
	@echo "· installing what the tests and linters need"
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on --only-binary :all: --require-hashes -r requirements-dev.lock
	@touch $@

.venv-audit/ready: deploy/audit.lock
	@$(PYTHON) -m venv .venv-audit
	@.venv-audit/bin/python -m pip install --disable-pip-version-check --quiet --only-binary :all: --require-hashes -r deploy/audit.lock
	@touch $@

audit:  ## ask PyPI whether anything we depend on is known to be vulnerable; says so plainly where it can't be asked
	@if $(MAKE) --silent .venv-audit/ready; \
	then $(PYTHON) deploy/supply_chain.py audit .venv-audit/bin/pip-audit; \
	else echo "NOT AUDITED: pip-audit could not be installed here."; fi

sbom:  ## what Callboard is made of, from the lock files, as CycloneDX JSON in dist/callboard.cdx.json
	@mkdir -p dist
	@$(PYTHON) deploy/supply_chain.py sbom > dist/callboard.cdx.json
	@echo "· wrote dist/callboard.cdx.json"

lock:  ## write both lock files anew: every package with its hashes, no index address
	$(PYTHON) -m venv .venv-lock && .venv-lock/bin/pip install --quiet uv
	.venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --upgrade pyproject.toml --extra build -o requirements.lock
	.venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --upgrade pyproject.toml --all-extras -c requirements.lock -o requirements-dev.lock
	echo pip-audit | .venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate --upgrade - -o deploy/audit.lock
	rm -rf .venv-lock

clean:
	rm -rf .venv .venv-audit dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
