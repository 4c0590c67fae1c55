# `make run` and `make test` are all that a fresh machine needs; the rest is for working on the tree.

.DEFAULT_GOAL := help
.PHONY: help run test check lint types imports tidy fresh-docs fresh-boards fresh-bpf fresh-proto format tidy-shrink docs \
	dashboards grafana-types sarif-schema proto bpf bench bench-accuracy image sbom chart chart-tools release e2e bench-gate gpu-validate \
	requirements setup-agent setup-all setup-dev spark-test clean
BIN := .venv/bin

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sort | sed -E 's/^([a-z0-9-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

run: setup-agent ## start the agent as this user can: make run ARGS="--interval 1"
	@exec $(BIN)/wattribute agent $(ARGS)

test: setup-dev ## run the tests: make test ARGS="tests/node/meter -k wrap"; with the slow ones: make test FULL=1
	@exec $(if $(FULL),env WATTRIBUTE_TESTS=full) $(BIN)/pytest -n auto --dist loadgroup $(ARGS)

check: lint types imports tidy fresh-docs fresh-boards fresh-bpf fresh-proto ## lint, types, import contracts, tidiness, fresh generated files

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup-dev
	$(BIN)/mypy

imports: setup-dev
	$(BIN)/lint-imports --config importlinter.toml

tidy: setup-dev ## names, sizes, links, commands in docs: what no linter looks at; ARGS=--all shows known offences
	@$(BIN)/python -m tools.tidy $(ARGS)

tidy-shrink: setup-dev ## write tools/tidy/known.toml again, after you mended some known offences
	@$(BIN)/python -m tools.tidy --shrink

fresh-docs: setup-dev
	$(BIN)/python -m wattribute dev docs --check
	$(BIN)/python -m tools.chart docs --check
	$(BIN)/python -m bench.accuracy --check

fresh-boards: setup-dev
	$(BIN)/python -m tools.dashboards --check

fresh-bpf: setup-dev
	@if command -v clang >/dev/null; then $(BIN)/python -m tools.build_bpf --check; \
	else echo "no clang: whether the BPF programs are fresh was not checked"; fi

fresh-proto: setup-dev
	$(BIN)/python -m tools.build_proto --check

format: setup-dev ## put the code in shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: setup-dev ## write the generated reference again
	$(BIN)/python -m wattribute dev docs
	$(BIN)/python -m tools.chart docs
	$(BIN)/python -m bench.accuracy --page

dashboards: setup-dev ## write the Grafana boards again, after a change in tools/dashboards
	$(BIN)/python -m tools.dashboards

grafana-types: ## fetch what a test checks the boards against (npm, @grafana/schema)
	npm ci --ignore-scripts --no-audit --no-fund --prefix tools/grafana_types

sarif-schema: ## fetch what a test checks the gate's SARIF against (npm)
	npm ci --ignore-scripts --no-audit --no-fund --prefix tools/sarif_schema

proto: setup-dev ## write the scaler's gRPC code again, after a change of its .proto
	$(BIN)/python -m tools.build_proto

bpf: setup-dev ## rebuild the BPF programs with clang; fails if the shipped ones differ
	@$(BIN)/python -m tools.build_bpf --check || \
	{ $(BIN)/python -m tools.build_bpf && echo "rebuilt: see git diff, and commit"; exit 1; }

bench: setup-dev ## measure, and print figures beside their targets: make bench ARGS="--json out.json"
	@exec $(BIN)/python -m bench $(ARGS)

bench-accuracy: setup-dev ## how far off all methods are, and docs/reference/accuracy.md: ARGS="--only worlds --seeds 3"
	@exec $(BIN)/python -m bench.accuracy $(ARGS)

image: ## build the agent's image: make image BASE=debian (no registry needed) PLATFORM=linux/arm64
	@tools/build_image.sh

sbom: image ## build the image; what is in it, as CycloneDX, is dist/*.cdx.json

chart: setup-dev ## package the Helm chart, and its repository: dist/chart; IMAGE_REPOSITORY, IMAGE_DIGEST
	@$(BIN)/python -m tools.chart package dist/chart $(if $(IMAGE_REPOSITORY),--repository $(IMAGE_REPOSITORY)) \
		$(if $(IMAGE_DIGEST),--digest $(IMAGE_DIGEST))

chart-tools: setup-dev ## fetch real helm and the schemas for the chart's tests
	@tools/setup_chart_tools.sh

release: setup-dev ## wheel, image and chart of one version: make release IMAGE_REPOSITORY=registry/name
	@tools/release.sh

e2e: setup-dev ## install into the cluster of KUBECONFIG, load two pods, assert their watts, uninstall
	@$(BIN)/python -m tools.e2e $(ARGS)

bench-gate: setup-dev ## false alarms and missed regressions of the energy gate, on real commands (20 min)
	@exec $(BIN)/python -m bench.gate $(ARGS)

gpu-validate: setup-dev ## on a machine with a GPU: measure, and write docs/reference/gpu-validation.md
	@exec $(BIN)/python -m tools.gpu $(ARGS)

EXTRAS := $(foreach extra,gpu amd signed training chargeback polars gate web modelserver scaler,--extra $(extra)) # not spark: 400 MB
PIN := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links
requirements: ## pin the newest packages again (needs uv)
	$(PIN) --upgrade pyproject.toml --output-file requirements/agent.txt
	$(PIN) --upgrade requirements/gpu.in --output-file requirements/gpu.txt
	$(PIN) --upgrade --constraint requirements/agent.txt $(EXTRAS) pyproject.toml --output-file requirements/all.txt
	$(PIN) --upgrade --constraint requirements/all.txt requirements/signed.in --output-file requirements/signed.txt
	$(PIN) --upgrade --constraint requirements/all.txt --extra chargeback --extra spark pyproject.toml --output-file requirements/spark.txt
	$(PIN) --upgrade requirements/build.in --output-file requirements/build.txt
	$(PIN) --upgrade requirements/dev.in --output-file requirements/dev.txt
	$(PIN) --upgrade --constraint requirements/dev.txt requirements/chart.in --output-file requirements/chart.txt

setup-agent:
	@tools/setup_venv.sh agent

setup-all: ## set up .venv for every command, not the agent alone
	@tools/setup_venv.sh all

setup-dev:
	@tools/setup_venv.sh dev

spark-test: setup-dev ## the statement on a local Spark (400 MB from PyPI, Java 17), in .venv-spark
	@[ -x .venv-spark/bin/python ] || uv venv -q .venv-spark
	@uv pip install -q --python .venv-spark/bin/python --require-hashes -r requirements/spark.txt
	@uv pip install -q --python .venv-spark/bin/python pytest pytest-timeout pytest-asyncio
	@PYTHONPATH=src .venv-spark/bin/python -m pytest -q tests/accounting/chargeback/test_spark.py $(ARGS)

clean: ## remove what was made here
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
