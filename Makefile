# make demo and make test set up .venv by themselves on a fresh machine.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: setup demo test check bench golden tiny clean

setup: $(READY)

# torch comes first, by itself and pinned: the CPU build. Everything else follows the constraints file.
$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet $$(grep '^torch==' constraints.txt)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[train,report,openspiel,docs,dev]'
	touch $(READY)

demo: setup
	$(BIN)/equipoise demo --out runs/demo

test: setup
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: setup
	$(BIN)/ruff format --check src research tests benchmarks examples
	$(BIN)/ruff check src research tests benchmarks examples
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 --dist loadfile -m 'not slow'

bench: setup
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/arena.py
	$(BIN)/python benchmarks/training.py

golden: setup
	$(BIN)/python tests/golden/make.py

tiny: setup
	$(BIN)/python -m research.tiny
	$(BIN)/python -m research.tiny_talk

clean:
	rm -rf $(VENV) runs build dist
