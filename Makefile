# Two commands on a fresh machine: `make demo` and `make test`. Both install what they need.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
DEMO := .falsework-demo
SEEDS ?= 2000

.PHONY: bench-engine install demo test campaign canaries mutants simulate check format clean
.PHONY: check-slow wheel stage deploy image destroy policies

install: $(INSTALLED)

$(INSTALLED): pyproject.toml
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or later is needed"'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

demo: $(INSTALLED)
	rm -rf $(DEMO)
	$(BIN)/falsework put --root $(DEMO) examples/lambda_phage.fa s3://demo/lambda_phage.fa
	$(BIN)/falsework put --root $(DEMO) examples/analyse_genome.py s3://demo/analyse_genome.py
	$(BIN)/falsework run --root $(DEMO) examples/demand.json --wait

test: $(INSTALLED)
	$(BIN)/pytest -n auto --dist worksteal

simulate: $(INSTALLED)
	$(BIN)/python -m chalicelib.simulation --seeds $(SEEDS)

canaries: $(INSTALLED)
	$(BIN)/python -m tests.canaries

mutants: $(INSTALLED)
	$(BIN)/python -m tests.mutants

campaign: $(INSTALLED)
	$(BIN)/pytest -n auto --dist worksteal -m campaign

# redun wants another boto3 than moto, so that the price is counted in the checkout's environment.
.venv-bench/.installed: pyproject.toml
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/pip install --quiet --disable-pip-version-check --editable '.[bench]'
	touch $@

bench-engine: .venv-bench/.installed $(INSTALLED)
	.venv-bench/bin/python -m benchmarks.engine --skip-price
	$(BIN)/python -m benchmarks.engine --skip-speed

# Deploying. The Python that deploys is the one that Lambda runs, see infra/lambda_python.py. It is
# asked for in the recipe: what $(shell) fails with, make never hears of.
STAGE ?= dev
VIA ?= cloudformation
DEPLOYING = python="$$($(PYTHON) -m infra.lambda_python)" && "$$python"

wheel: $(INSTALLED)
	rm -rf dist build/lib build/bdist.*  # setuptools would pack what is gone from the sources
	SOURCE_DATE_EPOCH=1000000000 $(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .

policies: $(INSTALLED)
	$(BIN)/python -m infra.policies

stage:
	$(DEPLOYING) -m infra.deploy $(STAGE) $(addprefix --parameter ,$(PARAMETERS)) --only-build

deploy:
	$(DEPLOYING) -m infra.deploy $(STAGE) --via $(VIA) $(addprefix --parameter ,$(PARAMETERS))

image: wheel
	$(DEPLOYING) -m infra.image $(STAGE)

destroy:
	$(DEPLOYING) -m infra.destroy $(STAGE) --delete-data '$(DELETE_DATA)'

check: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) test

check-slow: $(INSTALLED)
	$(BIN)/pytest -n auto --dist worksteal -m slow

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv .venv-bench .venv-lambda .venv-checks $(DEMO) build dist *.egg-info
