# Thin on purpose: each target calls what does the work.
.DEFAULT_GOAL := help
.PHONY: help test lint format demo bench clean

help:    ## list these targets
	@sed -n 's/^\([a-z]*\): .*## /  \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 12

test:    ## run the tests on real databases; make test ARGS="--only sqlite"
	bin/test $(ARGS)

lint:    .venv/bin/ruff ## check format, style and types
	.venv/bin/ruff format --check
	.venv/bin/ruff check
	.venv/bin/mypy

format:  .venv/bin/ruff ## bring the code into shape
	.venv/bin/ruff format
	.venv/bin/ruff check --fix

demo:    ## hash and count this repository's files as jobs
	bin/demo $(ARGS)

bench:   ## measure the databases side by side
	bin/bench $(ARGS)

clean:   ## remove what was built and cached, not .venv
	rm -rf build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -path ./.venv -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/ruff:
	bin/test --only sqlite --prepare
