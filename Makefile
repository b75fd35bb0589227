# Each target sets up .venv by itself, once; `make help` lists them.

SCENARIO ?= scenarios/basic.yaml
SECONDS ?= 600
PROGRAMS ?= 5000
SEED ?= 0
# The Python asked for (`make test PYTHON=python3.12`); else .venv's; else the first new enough.
NEW_ENOUGH := -c 'import sys; sys.exit(sys.version_info < (3, 11))'
ifndef PYTHON
PYTHON := $(shell for one in .venv/bin/python python3 python3.14 python3.13 python3.12 python3.11; do \
	$$one $(NEW_ENOUGH) 2>/dev/null && echo $$one && break; done)
endif
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)

# What is installed, and for which Python, is told by empty files inside .venv.
RUN := .venv/.installed-$(VERSION)
DEV := .venv/.installed-$(VERSION)-dev
BENCH := .venv/.installed-$(VERSION)-bench
FUZZ := .venv/.installed-$(VERSION)-fuzz
INSTALL := .venv/bin/python -m pip install --disable-pip-version-check -c constraints.txt -e

.PHONY: help run test lint format snapshots screenshot reference derivatives table page browser samples bench fuzz clean
.DEFAULT_GOAL := help

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

run: $(RUN) ## open a scenario: make run SCENARIO=scenarios/cube.yaml
	@.venv/bin/python -m backprop_tui $(SCENARIO)

test: $(DEV) ## run all tests
	.venv/bin/python -m pytest -n 3 --dist worksteal

lint: $(DEV) ## check style, formatting, types and the import contract
	.venv/bin/python -m ruff check .
	.venv/bin/python -m ruff format --check .
	.venv/bin/python -m mypy
	.venv/bin/lint-imports

format: $(DEV) ## format the code and put right what ruff can
	.venv/bin/python -m ruff check --fix .
	.venv/bin/python -m ruff format .

snapshots: $(DEV) ## record the snapshots of the screen anew; look at the difference before you commit
	.venv/bin/python -m pytest tests/tui --snapshot-update

screenshot: $(DEV) ## draw the README's picture anew from the app itself
	.venv/bin/python .github/screenshot.py

reference: $(RUN) ## write docs/operations.md anew from the catalogue
	.venv/bin/python .github/reference.py

derivatives: $(RUN) ## write torch's own texts of its derivatives anew from its wheel
	.venv/bin/python .github/derivatives.py

table: $(RUN) ## write the table of the expressions' grammar anew
	PYTHONHASHSEED=0 .venv/bin/python .github/table.py

page: $(DEV) ## make the page of exported lessons anew from its markup, style and script
	.venv/bin/python .github/page.py

browser: $(DEV) ## run the tests in a real browser; installs Debian's Chromium where there is none
	command -v chromium chromium-browser google-chrome >/dev/null || apt-get install -y chromium
	.venv/bin/python -m pytest tests/browser

samples: $(DEV) ## run torch's own test inputs and print a line a function: make samples NAME=softmax
	@THOROUGH=1 .venv/bin/python -m tests.catalogue $(NAME)

bench: $(BENCH) ## compare the speed with micrograd, torch and numpy, in one table of ratios
	OPENBLAS_NUM_THREADS=1 .venv/bin/python -m pytest tests/benchmarks/bench_*.py -q -p no:cacheprovider

fuzz: $(FUZZ) ## all tests with their long searches, random programs against torch, random input: make fuzz PROGRAMS=5000 SEED=0 SECONDS=600
	THOROUGH=1 .venv/bin/python -m pytest -n 3 --dist worksteal
	.venv/bin/python -m tests.fuzz.torch_programs $(PROGRAMS) $(SEED)
	@mkdir -p .fuzz/found
	.venv/bin/python -m tests.fuzz.target .fuzz/corpus -artifact_prefix=.fuzz/found/ \
		-timeout=25 -rss_limit_mb=2500 -max_total_time=$(SECONDS)

clean: ## remove .venv and everything that tools leave behind
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .benchmarks .fuzz build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUN): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" && $(PYTHON) $(NEW_ENOUGH) || \
		{ echo "backprop-tui needs Python 3.11 or later; say which with: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' || \
		{ echo "$(PYTHON) comes without its venv module; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "Setting up .venv for Python $(VERSION), once (PyTorch is a large download) ..."
	@.venv/bin/python -c 'import sys; sys.exit("%d.%d" % sys.version_info[:2] != "$(VERSION)")' 2>/dev/null || \
		$(PYTHON) -m venv --clear .venv
	@rm -f .venv/.installed-*
	$(INSTALL) .
	@touch $@

$(DEV): $(RUN)
	$(INSTALL) '.[dev]'
	@touch $@

$(BENCH): $(DEV)
	$(INSTALL) '.[dev,bench]'
	@touch $@

$(FUZZ): $(DEV)
	$(INSTALL) '.[dev,fuzz]'
	@touch $@
