#!/bin/sh
# The papers' models at their real size on one GPU, in ten minutes and without a download; see gpu_check.py.
#   benchmarks/gpu_check.sh            on a GPU: .venv with a CUDA build of torch, and vLLM in it where it is wanted
#   benchmarks/gpu_check.sh --tiny     the dry run on a CPU
# PYTHON is another environment's Python.
set -eu
cd "$(dirname "$0")/.."
exec timeout --kill-after=10 600 "${PYTHON:-.venv/bin/python}" benchmarks/gpu_check.py "$@"
