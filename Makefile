# kiosk: everything a person at a keyboard asks of the project. `make` alone lists it.

VENV := .venv
STAMPS := $(VENV)/.stamps
BIN := $(VENV)/bin
# Tests that fork a kiosk at any moment: in processes of their own, because a fork inherits the locks of all threads.
FORKING := tests/crash tests/hostile/test_wire.py
LOCKED := $(BIN)/python -m pip install --disable-pip-version-check --no-input --require-hashes --prefer-binary

.DEFAULT_GOAL := help
.PHONY: help venv evdev demo test check lint crash thirty-days soak fuzz powercut bench bench-sync chaos fleet axe pictures lock wheel clean

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(STAMPS)/evdev ## make the environment; .venv/bin/kiosk is then the command

evdev: $(STAMPS)/run ## try again to bring in the library for keyboard-wedge scanners
	@sh tools/setup-evdev.sh

demo: venv ## start a whole kiosk on simulated devices and the city's hub; SCENARIO=tests/scenarios/NAME.txt plays one without hands
	@$(BIN)/kiosk demo $(if $(SCENARIO),--scenario "$(SCENARIO)")

test: $(STAMPS)/test $(STAMPS)/check $(STAMPS)/system ## install what is missing, then check and run the whole suite
	@$(MAKE) --no-print-directory lint
	@$(BIN)/python -m pytest -n 4 --dist loadfile $(if $(PYTEST_ARGS),$(PYTEST_ARGS),$(FORKING:%=--ignore=%))
	@$(if $(PYTEST_ARGS),true,$(BIN)/python -m pytest -n 2 $(FORKING))

check: lint ## ruff, mypy, import contracts, house rules, systemd units
	@$(BIN)/python -m pytest -q tests/house tests/systemd

lint: $(STAMPS)/test $(STAMPS)/check
	@echo "check: ruff"
	@$(BIN)/ruff check --quiet .
	@echo "check: mypy"
	@$(BIN)/mypy
	@echo "check: import contracts"
	@$(BIN)/lint-imports --config pyproject.toml

crash: $(STAMPS)/test ## kill and restart through every scenario, and count the money; RUNS=200 for fewer runs, RIG=all for every acceptor
	@$(BIN)/python -m bench.crash $(if $(RUNS),--runs $(RUNS)) $(if $(SEED),--seed $(SEED)) $(if $(RIG),--rig $(RIG))

thirty-days: $(STAMPS)/test ## play a month of one kiosk and explain every note box by box; PAYMENTS=200 for fewer
	@$(BIN)/python -m bench.thirty_days $(if $(PAYMENTS),--payments $(PAYMENTS)) $(if $(SEED),--seed $(SEED))

soak: $(STAMPS)/test ## let both ends of every cash protocol talk through a bad line, and count the notes; ONLY=ssp for one
	@$(BIN)/python -m bench.soak $(if $(NOTES),--notes $(NOTES)) $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY))

fuzz: $(STAMPS)/test ## feed millions of mutated frames to every codec, driver and simulated unit; INPUTS=100000 for fewer
	@$(BIN)/python -m bench.fuzz $(if $(INPUTS),--inputs $(INPUTS)) $(if $(SEED),--seed $(SEED))

powercut: $(STAMPS)/test ## cut the power under the journal's disk, state by state (root and FUSE)
	@$(BIN)/python -m bench.powercut $(if $(STATES),--states $(STATES)) $(if $(SEED),--seed $(SEED))

vm-test: $(STAMPS)/test ## play scenes with real USB devices and power cuts on a kernel of their own, in QEMU; ONLY=wedge,twins for fewer
	@sh tools/apt-install.sh "the virtual machine of vm-test" qemu-system-x86 qemu-utils mmdebstrap kmod cpio e2fsprogs || true
	@$(BIN)/python tests/vm/run.py $(if $(ONLY),--only $(ONLY)) $(if $(CUTS),--cuts $(CUTS))

bench: $(STAMPS)/test ## measure, each figure beside the limit measured in the same run
	@$(BIN)/python -m bench

chaos: $(STAMPS)/test ## kill, cut, restore and clone kiosks and a hub, and account for every fact; RUNS=20 for fewer
	@$(BIN)/python -m bench.chaos $(if $(RUNS),--runs $(RUNS)) $(if $(SEED),--seed $(SEED))

fleet: $(STAMPS)/test ## put 20, 200 and 2,000 kiosks on one hub, and restart it under them; SIZES=20,200 for fewer
	@$(BIN)/python -m bench.fleet $(if $(SIZES),--sizes $(SIZES))

bench-sync: $(STAMPS)/test ## measure sync to a hub beside MQTT, NATS, HTTP and PostgreSQL; FACTS=5000 for fewer
	@sh tools/apt-install.sh "what sync is measured against" mosquitto nats-server postgresql || true
	@$(BIN)/python -m bench.measure_sync $(if $(FACTS),--facts $(FACTS)) $(if $(RUNS),--runs $(RUNS))

axe: $(STAMPS)/test $(STAMPS)/system ## hold every screen, language, mode and size against WCAG 2.2 AA; ONLY=idle,entering for fewer screens
	@$(BIN)/python -m bench.axe_matrix $(if $(ONLY),--only $(ONLY))

pictures: $(STAMPS)/test $(STAMPS)/system ## photograph the screens and a receipt for the documentation anew
	@$(BIN)/python tools/take-pictures.py
	@$(BIN)/python tools/photograph-screens.py

lock: $(STAMPS)/run ## write requirements/*.txt anew from pyproject.toml; UPGRADE=1 for the newest versions
	@sh tools/lock.sh $(if $(UPGRADE),--upgrade)

wheel: $(STAMPS)/run ## build the wheel into dist/
	@$(BIN)/python -m pip wheel --no-deps --no-build-isolation --no-index --wheel-dir dist .

clean: ## remove the environment and every cache
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -path ./.git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is touched when its step has ended well; a step runs again only after its lock or script changed.

$(STAMPS)/run: requirements/build.txt requirements/run.txt pyproject.toml tools/setup-venv.sh
	@sh tools/setup-venv.sh
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/evdev: $(STAMPS)/run tools/setup-evdev.sh requirements/wedge-x86_64.txt requirements/wedge-source.txt
	@sh tools/setup-evdev.sh
	@touch $@

$(STAMPS)/test: $(STAMPS)/evdev requirements/test.txt
	@echo "setup: installing what the tests need (requirements/test.txt)"
	@$(LOCKED) -r requirements/test.txt
	@touch $@

$(STAMPS)/check: $(STAMPS)/run requirements/check.txt
	@echo "setup: installing the checkers (requirements/check.txt)"
	@$(LOCKED) -r requirements/check.txt
	@touch $@

$(STAMPS)/system: $(STAMPS)/run tools/setup-test-system.sh tools/apt-install.sh
	@sh tools/setup-test-system.sh
	@touch $@
