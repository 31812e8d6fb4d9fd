# `make` lists the targets. uv does the work; it is fetched into .uv when the machine has none.
export PATH := $(CURDIR)/.uv/bin:$(PATH)
.DEFAULT_GOAL := help
.PHONY: help uv install demo check test bench refresh clean

USE_CASE ?= fraud
PROGRAM := {{cookiecutter.project_slug}}
TOOLS := $(CURDIR)/.venv/bin

# Tools that run inside the program leave nothing there: what lies in it is copied into projects.
check test: export PYTHONDONTWRITEBYTECODE := 1
check test: export RUFF_CACHE_DIR := $(CURDIR)/build/ruff
check test: export MYPY_CACHE_DIR := $(CURDIR)/build/mypy
check test: export HYPOTHESIS_STORAGE_DIRECTORY := $(CURDIR)/build/hypothesis

help:  ## list the targets
	@awk -F ':.*##' '/^[a-z]+:.*##/ { printf "  make %-9s%s\n", $$1, $$2 }' Makefile

uv:
	@command -v uv >/dev/null || { python3 -m venv .uv && .uv/bin/pip install --quiet 'uv>=0.9'; }

install: uv  ## install the template's environment: its tools, and all that a project needs
	uv sync --quiet

demo: uv  ## generate a project, run its pipeline, serve it and ask it (USE_CASE=fraud, demand or segments)
	@uv run --quiet --only-group generate python tests/demo.py --use-case $(USE_CASE)

check: install  ## style and types of the template, and of the program where it stands
	uv run ruff check
	uv run ruff format --check
	uv run mypy
	cd '$(PROGRAM)' && $(TOOLS)/mypy

test: check  ## all tests: of the template, of the program where it stands, inside generated projects
	cd '$(PROGRAM)' && $(TOOLS)/pytest -n 2 -o cache_dir='$(CURDIR)/build/pytest'
	uv run pytest

bench: install  ## measure quality and speed again, into benchmarks/*.md (the last asks with wrk)
	uv run python -B benchmarks/fraud_speed.py
	uv run python -B benchmarks/fraud_quality.py
	uv run python -B benchmarks/demand_quality.py
	uv run python -B benchmarks/segments_quality.py
	uv run python -B benchmarks/serving_speed.py

refresh: uv  ## move the date that installs are as of to today
	sed -i.old "s/^exclude-newer = \"[^\"]*\"/exclude-newer = \"$$(date -u +%F)T00:00:00Z\"/" \
		pyproject.toml '$(PROGRAM)/pyproject.toml'
	rm pyproject.toml.old '$(PROGRAM)/pyproject.toml.old'
	uv lock --upgrade

clean:  ## remove caches and what the demo and the tests made
	rm -rf build .*_cache .hypothesis
	find hooks tests '$(PROGRAM)' \( -name __pycache__ -o -name '.*_cache' -o -name .hypothesis \) \
		-prune -exec rm -rf {} +
