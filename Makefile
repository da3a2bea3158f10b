# `make` alone explains the targets. Needs: git, make, a C++ compiler, Python 3.11 with its headers.
# Everything is installed into .venv and nothing outside it.

UV    := 0.13.9
JOBS  ?= 2
TORCH ?= $(or $(shell cat .venv/torch 2>/dev/null),cpu)
BIN   := .venv/bin
READY := .venv/ready-$(TORCH)-$(shell cat requirements.lock pyproject.toml | cksum | cut -d' ' -f1)

NOTEBOOKS = $(wildcard notebooks/*.ipynb notebooks/solutions/*.ipynb)
LINKS     = $(if $(PIP_FIND_LINKS),--find-links "$(PIP_FIND_LINKS)")
PIP       = $(BIN)/uv pip install --quiet --python $(BIN)/python
export UV_PYTHON_DOWNLOADS := never

.PHONY: help install lab apps test lint bench services lock clean
.DEFAULT_GOAL := help

help:
	@echo "make TARGET"
	@echo
	@sed -n 's/^\([a-z]*\):.*## */  \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 12
	@echo
	@echo "The first of them builds .venv, once. TORCH=cuda takes the CUDA build of torch [$(TORCH)]."

install: $(READY) ## build or bring up to date .venv from requirements.lock

lab: $(READY) ## open JupyterLab on your copies of the notebooks (PORT=8888)
	@$(BIN)/workbench lab $(if $(PORT),--port $(PORT))

apps: $(READY) ## open the gallery of marimo apps (PORT=2718)
	@$(BIN)/workbench apps $(if $(PORT),--port $(PORT))

test: lint ## lint, unit tests and doctests, every notebook, every app, the browser (JOBS=2)
	@$(BIN)/pytest -n $(JOBS) -m "not clock" workbench tests $(NOTEBOOKS) \
	  --nbval-lax --nbval-current-env --nbval-cell-timeout 120
	@$(BIN)/pytest -m clock $$(grep -rl --include='*.py' 'mark\.clock' tests)

lint: $(READY) ## ruff on code and notebooks
	@$(BIN)/ruff check --quiet . || { echo "lint: ruff check --fix . repairs some of it"; exit 1; }
	@$(BIN)/ruff format --quiet --check . || { echo "lint: these files want \`ruff format\`:"; \
	  $(BIN)/ruff format --check .; exit 1; }

bench: $(READY) ## measure us, a peer and the raw limit side by side (long)
	@$(BIN)/workbench bench

services: ## install Redis and Chromium where it can, and start Redis on this machine
	@sh .ci/services

lock: .venv/uv-$(UV) ## resolve pyproject.toml into requirements.lock (UPGRADE=--upgrade for newer)
	@cp requirements.lock .venv/lock
	@$(BIN)/uv pip compile pyproject.toml --quiet --extra all --extra dev --extra peers \
	  --universal --python-version 3.11 --no-header --no-annotate --no-emit-package torch \
	  --no-emit-index-url --no-emit-find-links $(LINKS) $(UPGRADE) -o .venv/lock
	@sed -E -e '/^(nvidia-|cuda-|triton)/d' \
	  -e "s/ ; python_full_version < '3.12' and / ; /; s/ ; python_full_version < '3.12'$$//" \
	  -e "s/ and python_full_version < '3.12'//" -e "s/ ; python_full_version < '3.11.3'$$//" .venv/lock > .venv/lock.short
	@sed -n 's/.*"\(torch==[^"]*\)".*/\1/p' pyproject.toml >> .venv/lock.short
	@LC_ALL=C sort -s -t= -k1,1 .venv/lock.short > requirements.lock
	@git diff --stat -- requirements.lock

clean: ## remove .venv and caches; your notebooks, labs and data stay
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis dist build
	find workbench tests benchmarks notebooks -name __pycache__ -type d -prune -exec rm -rf {} +

# --- the environment ----------------------------------------------------------------------------
# The lock is complete, so nothing is resolved here: --no-deps, and torch's CUDA libraries stay away.
# TORCH=cuda adds them; UV_TORCH_BACKEND=cu126 chooses an older CUDA.

$(READY): .venv/uv-$(UV)
	@echo "Installing requirements.lock into .venv (torch: $(TORCH)) ..."
	@grep -v '^torch==' requirements.lock > .venv/lock
	@$(PIP) --no-deps -r .venv/lock || { $(explain); exit 1; }
	@$(PIP) $(torch-$(TORCH)) "$$(grep '^torch==' requirements.lock)" || { $(explain); exit 1; }
	@$(PIP) --no-deps --no-build-isolation --offline --editable .
	@PYTHONDONTWRITEBYTECODE= MLFLOW_DISABLE_TELEMETRY=true $(BIN)/python -c "$(warm)" \
	  || { $(explain); exit 1; }
	@rm -f .venv/ready-* && echo $(TORCH) > .venv/torch && touch $@

torch-cpu  = --no-deps $(or $(LINKS),--torch-backend cpu)
torch-cuda = --reinstall-package torch -c requirements.lock "dask-cuda>=25.10" nvidia-nccl-cu12

# Imported once, so that it is known to work and its bytecode is kept: later starts take a third.
warm = import altair, anywidget, dask.distributed, deltalake, ipykernel.kernelapp, ipywidgets, \
  jupyterlab.labapp, jupyter_server.serverapp, lmdb, marimo, mlflow.xgboost, moto.server, \
  narwhals, nbval.plugin, numba, pandas, playwright.sync_api, polars, redis, scipy.stats, \
  sklearn.ensemble, \
  sqlalchemy.dialects.sqlite, torch, vl_convert, xdist, xgboost

.venv/uv-$(UV):
	@$(find-python); $$python -m venv .venv || { rm -rf .venv; exit 1; }
	@$(BIN)/python -m pip install -qq --disable-pip-version-check "uv==$(UV)"
	@touch $@

define find-python
for python in python3.11 python3 python; do \
  $$python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null && break; \
  python=; \
done; \
if [ -z "$$python" ]; then \
  echo "make: Python 3.11 is needed, and neither python3.11 nor python3 is one." >&2; \
  echo "  Debian, Ubuntu: apt-get install python3.11-venv python3.11-dev g++" >&2; \
  echo "  Fedora: dnf install python3.11-devel gcc-c++    macOS: brew install python@3.11" >&2; \
  echo "  conda: conda env create -f environment.yml && conda activate workbench" >&2; \
  exit 1; \
fi
endef

define explain
echo "make: the installation failed, see above; make again takes it up where it stopped." >&2; \
echo "  A missing Python.h or C++ compiler: apt-get install python3.11-dev g++ (Annoy is compiled)." >&2; \
echo "  No torch found: unset PIP_FIND_LINKS, or choose the build by TORCH=cpu or TORCH=cuda." >&2
endef
