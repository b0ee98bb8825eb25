# `make` lists what there is to do. All of it happens in .venv, which is made where it is missing.

.DEFAULT_GOAL := help
.PHONY: help lab demo diagrams html test test-long test-lowest lint format bench bench-quick soak pictures pins clean kafka uv browser peers pythons

PY := .venv/bin/python
NOTEBOOKS := $(wildcard notebooks/*.ipynb)
STRIP := $(PY) -m nbstripout --keep-id --extra-keys metadata.language_info.version

# What has to be there before anything runs. A further thing is one more name here, and its rule.
READY := .venv/.ready kafka

# The first Python that will do; `make PYTHON=...` names another.
FITS := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in python3.14 python3.13 python3.12 python3.11 python3 python; do \
	"$$python" -c '$(FITS)' 2>/dev/null && echo "$$python" && break; done)

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' Makefile

lab: .venv/.ready ## open the first notebook in JupyterLab
	@$(PY) -m clicklib lab . -- $(ARGS)

demo: $(READY) ## run emitter, processor and view in this terminal, until Ctrl-C
	@$(PY) -m clicklib demo $(ARGS)

html: $(READY) ## run the notebooks and make pages of them to read, below build/html
	@$(PY) -m docs.site $(ARGS)

# Several files at a time, for they mostly wait; their order is that of tests/support/schedule.py.
PYTEST := $(PY) -m pytest -p tests.support.report --no-loadscope-reorder

test: $(READY) browser peers ## touch every behaviour once; ARGS="tests/unit -k codec" runs all of these
	$(PYTEST) -n 4 $(if $(findstring tests/,$(ARGS)),,-m "not long") $(ARGS)

test-long: $(READY) browser peers pythons ## run the series, soaks and matrices that `make test` leaves out
	$(PYTEST) -n 3 -m long $(ARGS)

test-lowest: $(READY) ## lint, unit tests and one of Kafka's with the oldest versions that are allowed
	@$(PY) -m uv venv -q --clear --python 3.11 build/lowest
	@$(PY) -m uv pip install -q --python build/lowest --resolution lowest-direct -e '.[test]'
	build/lowest/bin/python -m pytest -p no:cacheprovider -n 2 \
		$(or $(ARGS),-m "not long" tests/unit tests/kafka/test_count.py)
	$(if $(ARGS),,@$(MAKE) --no-print-directory lint PY=build/lowest/bin/python)

lint: .venv/.ready ## check style, types and the order of the rooms, and that notebooks hold no outputs
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(dir $(PY))lint-imports --no-logo --no-cache
	$(if $(NOTEBOOKS),$(STRIP) --verify $(NOTEBOOKS))

format: .venv/.ready ## repair what lint finds, as far as a program can
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .
	$(if $(NOTEBOOKS),$(STRIP) $(NOTEBOOKS))

bench: $(READY) ## measure beside the peers, half an hour; ARGS="--jobs a,b --rounds 1" runs some
	@$(PY) -m benchmarks $(if $(ARGS),$(ARGS),--into benchmarks)

bench-quick: $(READY) ## measure against the bare client; fails when clicklib got slower
	@$(PY) -m benchmarks --quick $(ARGS)

soak: $(READY) ## run it under random faults for SOAK_MINUTES (10), every click accounted for
	@$(PY) -m tests.soak --minutes $(or $(SOAK_MINUTES),10) $(ARGS)

pins: uv ## add to constraints.txt what pyproject.toml needs; ARGS=--upgrade takes the newest
	@$(PY) -m uv pip compile -q --universal --python-version 3.11.0 --extra test --no-annotate \
		--custom-compile-command "make pins" -o constraints.txt $(ARGS) pyproject.toml >/dev/null

# Grey lines and filled boxes can be read on a light and on a dark page.
DOT := dot -Tsvg -Gbgcolor=transparent -Grankdir=LR -Gpad=0.1 -Gnodesep=0.3 -Granksep=0.45 \
	-Nshape=box -Nstyle=filled -Nfillcolor=\#e8e8e8 -Ncolor=\#767676 -Nfontcolor=\#1a1a1a \
	-Ecolor=\#767676 -Efontcolor=\#767676 -Earrowsize=0.7 \
	-Nfontname=Helvetica,Arial,sans-serif -Efontname=Helvetica,Arial,sans-serif \
	-Gfontname=Helvetica,Arial,sans-serif -Gfontcolor=\#767676 -Gcolor=\#767676 \
	-Nfontsize=12 -Efontsize=11 -Gfontsize=11

diagrams: $(patsubst %.dot,%.svg,$(wildcard notebooks/pictures/*.dot)) ## draw the notebooks' diagrams again, with Graphviz

notebooks/pictures/%.svg: notebooks/pictures/%.dot Makefile
	$(DOT) $< | sed -e '/^<!-- Generated/d' -e '/^ -->/d' -e 's/[[:space:]]*$$//' >$@

pictures: $(READY) browser ## remake the README's picture, and take those of all notebooks
	CLICKLIB_SCREENSHOTS=build/pictures $(PY) -m pytest tests/browser $(ARGS)
	cp build/pictures/dashboard-light-table.png docs/dashboard.png
	@echo "docs/dashboard.png is new. The other screenshots are in $(CURDIR)/build/pictures."

clean: ## delete .venv and what was built; Kafka's data stay
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
	find . -name .ipynb_checkpoints -prune -exec rm -rf {} +
	@echo "Kept: the data of the local Kafka. To delete them as well, run before this"
	@echo "    .venv/bin/clicklib broker wipe --stop"

# The packages follow their two lists. The stamp holds the folder it was made in: a folder that was
# moved, or whose Python is gone, gets a new .venv.
ifneq ($(shell $(PY) -c '' 2>/dev/null && cat .venv/.ready 2>/dev/null),$(CURDIR))
.PHONY: .venv/.ready
endif
.venv/.ready: pyproject.toml constraints.txt
	@"$(PYTHON)" -c '$(FITS)' 2>/dev/null || { \
		echo "No Python 3.11 or newer with the modules venv and ensurepip was found."; \
		echo "Install one (on Debian and Ubuntu with the package python3-venv)," \
			"or name one: make PYTHON=..."; \
		exit 1; } >&2
	@echo "Installing the packages into .venv with $(PYTHON); the first time takes about a minute."
	@[ ! -e $@ ] || [ "$$(cat $@)" = "$$(pwd -P)" ] || rm -rf .venv
	@$(PY) -c '' 2>/dev/null || "$(PYTHON)" -m venv --clear .venv
	@$(PY) -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[test]'
	@pwd -P >$@

# What finds versions that go together. It must also run when the pins and the needs disagree.
uv:
	@$(PY) -c '' 2>/dev/null || "$(PYTHON)" -m venv .venv
	@$(PY) -m uv --version >/dev/null 2>&1 || $(PY) -m pip install -q uv

# The jars of the local Kafka; with CLICKLIB_BROKERS another Kafka is used.
kafka: .venv/.ready
	@[ -n "$$CLICKLIB_BROKERS" ] || $(PY) -m clicklib broker fetch >/dev/null

# Chromium for the browser tests, by Debian's package. Without it they are skipped, which fails in CI.
browser:
	@command -v chromium >/dev/null || command -v "$$CLICKLIB_CHROMIUM" >/dev/null || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
		echo "Installing Debian's Chromium for the browser tests." && \
		apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium fonts-dejavu >/dev/null; \
	} || echo "Left out: the browser tests. No Chromium was found, and it cannot be installed here."

# The Goka program of the tests beside it, which build it again from Go's cache. Without Go they are
# skipped, which fails in CI; a program that Go cannot build fails them.
peers:
	@PATH="$$PATH:/usr/local/go/bin:$$(echo /usr/lib/go*/bin | tr ' ' ':')"; \
	if command -v go >/dev/null; then \
		cd tests/peers/goka && go build -mod=readonly -buildvcs=false -o /dev/null . || \
			echo "Go could not build the program of the tests beside Goka: they will fail."; \
	else \
		echo "Left out: the tests beside Goka. No Go was found; 1.25 or newer will do."; \
	fi

# The Pythons of the tests that install the pins for each of them.
pythons: .venv/.ready
	@$(PY) -m tests.support.pythons
