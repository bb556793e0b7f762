# make chat     the page, on http://127.0.0.1:7860
# make test     the whole test suite
# make torture  the index under kill -9, damage, a full disk and two writers: 10 minutes
# make bench*   what makes the README's figures
# make check    lint, types and the fast tests
# make install  the part that all share: .venv, complete and up to date
#
# Variables: PORT, PYTHON, EXTRAS (for example EXTRAS=anthropic,ollama), PIP_ARGS, BENCH_ARGS

PORT ?= 7860
PYTHON ?= python3
EXTRAS ?=
override EXTRAS := $(subst $() ,,$(EXTRAS))
PIP_ARGS ?=
PYTEST_ARGS ?=
BENCH_ARGS ?=

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
STAMP := .venv/.complete$(if $(EXTRAS),-$(EXTRAS))
TORCH_CPU := https://download.pytorch.org/whl/cpu

.PHONY: chat test torture check lint bench bench-answers bench-documents bench-page bench-retrieval bench-scale install clean

chat: install
	@$(BIN)/rag serve --port $(PORT)

test: install
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

torture: install
	@$(BIN)/python -W error -m tests.torture

check: install lint
	@$(BIN)/python -m pytest -m "not slow and not browser"

lint: install
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: bench-answers
	@$(BIN)/python -m benchmarks.embedding --quality
	@$(BIN)/python -m benchmarks.index

# Most of the sets are not shipped: benchmarks/answers.py and retrieval.py say which, and leave out what is missing.
bench-answers: install
	@$(BIN)/python -m benchmarks.answers $(BENCH_ARGS)

# FinanceBench's filings are not shipped: benchmarks/documents.py says where they would be, and leaves them out else.
bench-documents: install
	@$(BIN)/python -m benchmarks.documents $(BENCH_ARGS)

# Needs Chromium. `.venv/bin/python -m benchmarks.page --pictures docs` makes the README's pictures.
bench-page: install
	@$(BIN)/python -m benchmarks.page

bench-retrieval: install
	@$(BIN)/python -m benchmarks.retrieval

bench-scale: install
	@$(BIN)/python -m benchmarks.scale

install: $(STAMP)

# The stamp is written last, so that a half-made .venv is finished at the next call. On Linux, torch comes from
# PyTorch's own CPU index when that answers: elsewhere the same version may bring gigabytes of GPU packages.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1). Set PYTHON=..." >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@echo "Installing the pinned packages into .venv ..."
	@torch=$$(grep '^torch==' requirements.lock); index=; \
	if [ "$$(uname -s)" = Linux ] && $(BIN)/python -c \
	  'import urllib.request; urllib.request.urlopen("$(TORCH_CPU)/torch/", timeout=4)' 2>/dev/null; \
	then index="--index-url $(TORCH_CPU)"; fi; \
	$(PIP) install -q $(PIP_ARGS) $$index $$torch --no-deps
	@$(PIP) install -q $(PIP_ARGS) -r requirements.lock
	@$(PIP) install -q $(PIP_ARGS) --no-deps --no-build-isolation -e .
	@if [ -n "$(EXTRAS)" ]; then $(PIP) install -q $(PIP_ARGS) -c requirements.lock -e ".[$(EXTRAS)]" --no-build-isolation; fi
	@touch $(STAMP)

clean:
	rm -rf .venv
