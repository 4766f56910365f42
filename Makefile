# What a maintainer does, in one place. `make` lists it.
# make PYTHON=python3.12 ... chooses the Python that makes .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv

.DEFAULT_GOAL := help
.PHONY: help book test test-site test-colab test-gpu text notebooks bench offline-quality cluster lab serve serve-model models links lock repository clean

help: ## list these commands
	@grep -hE '^[a-z-]+:.*## ' Makefile | awk -F ':.*## ' '{ printf "make %-16s %s\n", $$1, $$2 }'

book: $(VENV)/.installed-book ## build the site and its downloads from the notebooks as committed
	@$(BIN)/jupyter-book build . -W --keep-going -n -q
	@$(BIN)/python tools/make_downloads.py
	@echo "Open $(CURDIR)/_build/html/index.html, or run: make serve"

test: $(VENV)/.installed-all ## run every chapter anew, compare its outputs, and run the tests
	@$(BIN)/python -m pytest --nbval -n 2 --dist loadfile --durations=20 $(ARGS)

test-site: book $(VENV)/.installed-all ## test the built site in Chromium
	@$(BIN)/python -m pytest tests/site -n 2 $(ARGS)

test-colab: $(VENV)/.installed-all ## run them as Colab would: newest versions; and on drawn digits, two devices
	@$(BIN)/python tools/as_colab.py $(ARGS)

test-gpu: $(VENV)/.installed-gpu ## run the chapters on a machine with an NVIDIA GPU
	@$(BIN)/python tools/check_gpu.py
	@TF_FORCE_GPU_ALLOW_GROWTH=true XLA_PYTHON_CLIENT_PREALLOCATE=false \
	  $(BIN)/python -m pytest --nbval notebooks --junitxml=_build/gpu/junit.xml $(ARGS)
	@$(BIN)/python tools/gpu_status.py _build/gpu/junit.xml _build/gpu/status.json

text: $(VENV)/.installed-book ## write current numbers and lists into the chapters' text; nothing is run
	@$(BIN)/python tools/chapter_text.py

notebooks: $(VENV)/.installed-all ## run the chapters and rewrite their outputs (NOTEBOOKS="..." for some)
	@$(BIN)/python tools/run_notebooks.py $(NOTEBOOKS)

bench: $(VENV)/.installed-all ## run the sources' ways against ours (ARGS=--quick, or ARGS=--record)
	@$(BIN)/python benchmarks/ledger.py $(ARGS)

offline-quality: $(VENV)/.installed-all ## measure how well the offline digits stand in for MNIST
	@$(BIN)/python benchmarks/offline_quality.py

cluster: $(VENV)/.installed-all ## train with N=2 processes on this machine (ARGS="--steps 500")
	@$(BIN)/python -m mnistlib.distributed.launching $(or $(N),2) _build/cluster/$(or $(N),2)-shards $(ARGS)

lab: $(VENV)/.installed-all ## open the chapters in JupyterLab
	@$(BIN)/jupyter lab notebooks

serve: book ## build the site and serve it on this machine
	@echo "http://127.0.0.1:$(or $(PORT),8000)/ (Ctrl-C ends it)"
	@$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html $(or $(PORT),8000)

serve-model: $(VENV)/.installed-all ## serve an exported network (MODEL=folder PORT=8501), or one trained now
	@$(BIN)/python -m mnistlib.serving $(or $(MODEL),--train _build/model) --port $(or $(PORT),8501)

models: $(VENV)/.installed-all ## train the networks of the drawing pad, and keep their weights
	@$(BIN)/python -m mnistlib.draw

links: $(UV) ## follow every link of the published site (URL=https://...)
	@$(UV) tool run --quiet linkchecker@10.6.0 --check-extern --no-warnings "$(URL)" "$(URL:/=)/sitemap.xml"

COMPILE := pip compile --quiet --fork-strategy fewest --custom-compile-command "make lock"
EXTRAS := --extra notebooks --extra book --extra test --extra lab

lock: $(UV) ## write both lock files anew from pyproject.toml (UPGRADE=--upgrade for new versions)
	@$(UV) $(COMPILE) pyproject.toml --universal --python-version 3.11 $(EXTRAS) $(UPGRADE) \
	  --output-file requirements.txt
	@$(UV) $(COMPILE) --group serving --universal --python-version 3.11 $(UPGRADE) \
	  --output-file src/mnistlib/serving/requirements.txt
	@$(UV) $(COMPILE) pyproject.toml --python-version 3.11 --python-platform x86_64-manylinux_2_28 \
	  $(EXTRAS) --extra gpu --constraints requirements.txt --output-file requirements-gpu.txt

repository: $(VENV)/.installed-book ## write the repository's address into the book (REPO=owner/name SITE=https://...)
	@$(BIN)/python tools/set_repository.py "$(REPO)" $(if $(SITE),"$(SITE)")

clean: ## remove what was built; .venv stays
	@rm -rf _build .pytest_cache .ruff_cache notebooks/.ruff_cache
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

$(UV):
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not here: install Python 3.11 or later" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "$$($(PYTHON) --version) won't do: run make PYTHON=python3.11 (or 3.12, 3.13)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "no venv in $(PYTHON): on Debian, apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

$(VENV)/.installed-book: pyproject.toml requirements.txt | $(UV)
	@$(UV) pip install --quiet --python $(BIN)/python --constraints requirements.txt -e '.[book]'
	@touch $@

$(VENV)/.installed-gpu: pyproject.toml requirements-gpu.txt | $(UV)
	@$(UV) pip install --quiet --python $(BIN)/python --requirements requirements-gpu.txt -e .
	@touch $@

$(VENV)/.installed-all: pyproject.toml requirements.txt | $(UV)
	@$(UV) pip install --quiet --python $(BIN)/python --requirements requirements.txt -e .
	@touch $@
