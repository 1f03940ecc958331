# tbot: `make run` starts the bot in paper mode, `make test` proves it. Everything they need they set up themselves.
SHELL := /bin/bash
PY := .venv/bin/python
.DEFAULT_GOAL := help
.PHONY: help run demo install upgrade uninstall doctor deb test check bench campaign audit docs lock clean \
  setup-base setup-dev

help: ## what each command does
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: setup-base ## the whole bot in the foreground, paper mode, web UI; Ctrl-C stops it
	@exec $(PY) -m tools.foreground

demo: setup-base ## one whole session, headless, with a report (DATA=bars.parquet DATE=2019-02-11 replays recorded bars)
	@exec $(PY) -m tools.foreground --demo $(if $(DATA),--data "$(DATA)") $(if $(DATE),--date "$(DATE)") $(if $(SEED),--seed "$(SEED)")

INSTALLER = bash tools/install.sh
WHERE = $(if $(DESTDIR),--destdir "$(DESTDIR)") $(if $(PREFIX),--prefix "$(PREFIX)") $(if $(STATE_DIR),--state-dir "$(STATE_DIR)")
HOW = $(if $(filter yes,$(WITHOUT_BACKUP)),--without-backup) $(if $(READY_SECONDS),--ready-seconds "$(READY_SECONDS)")

install: ## as root: into /opt/tbot, run by systemd (PREFIX= STATE_DIR= DESTDIR=); again = repair, newer = upgrade
	@$(INSTALLER) install $(WHERE) $(HOW)

upgrade: ## as root: a backup, then this release in place of the other; back again when it is not ready in time
	@$(INSTALLER) upgrade $(WHERE) $(HOW)

uninstall: ## as root: the state stays unless PURGE=yes
	@$(INSTALLER) uninstall $(WHERE) $(if $(filter yes,$(PURGE)),--purge)

doctor: ## as root: what of the installation is not as it should be, and what to do
	@$(INSTALLER) doctor $(WHERE)

deb: ## a Debian package in dist/ (REVISION=)
	@$(INSTALLER) deb $(if $(REVISION),--revision "$(REVISION)")

test: setup-dev ## every test that can run here
	$(PY) -m pytest -n 2 --dist loadfile -m "not slow"
	$(PY) -m pytest -n 3 --dist loadfile -m slow

check: setup-dev ## ruff, mypy --strict, import contracts, secret scan, units, generated docs
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	$(PY) -m tools.secret_scan
	$(PY) -m tools.units
	$(PY) -m tools.render_docs --check

bench: setup-dev ## measures against references in the same run (PART=name)
	@exec $(PY) -m tools.bench $(if $(PART),--part "$(PART)")

campaign: setup-dev ## fault campaigns (PART=name SIZE=small|full)
	@exec $(PY) -m tools.campaign $(if $(PART),--part "$(PART)") --size "$(or $(SIZE),full)"

audit: setup-dev ## known vulnerabilities in the locked dependencies (asks the advisory database)
	.venv/bin/pip-audit --require-hashes -r requirements/base.txt

docs: setup-dev ## docs/configuration.md and docs/architecture.svg from the code
	$(PY) -m tools.render_docs

lock: ## resolve requirements/*.in anew, with hashes (needs uv)
	for group in base dev judges ib_async; do uv pip compile -q --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links $$([ $$group = judges ] && echo --no-deps) requirements/$$group.in \
	  -o requirements/$$group.txt; done

setup-base:
	@bash tools/setup.sh base

setup-dev:
	@bash tools/setup.sh dev

clean: ## remove the environment and caches; state, keys and output stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
