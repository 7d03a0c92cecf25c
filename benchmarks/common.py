"""What the benchmarks share: the machine, a child process per measurement, the stored result."""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import resource
import statistics
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("equipoise", "numpy", "torch", "transformers")
WIDTH = 80


def machine(threads: int) -> dict[str, Any]:
    """What the numbers were measured on, without names or paths."""
    return {
        "cores": os.cpu_count(),
        "torch_threads": threads,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def peak_mib() -> float:
    """The most memory this process has held so far, MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def in_child(measurement: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """Result of a measurement in a process of its own, so that its peak memory is its own."""
    pool = multiprocessing.get_context("forkserver").Pool(1)
    result = pool.apply(measurement, arguments)
    pool.close()
    pool.join()
    return result


def prepare_children() -> None:
    """Imports the heavy packages once; every child starts from there."""
    multiprocessing.set_forkserver_preload(["torch", "transformers", "equipoise.policies.language_model"])


def spread(values: list[float]) -> str:
    """Median and range, to about three digits."""
    low, middle, high = min(values), statistics.median(values), max(values)
    digits = 0 if middle >= 100 else 1
    span = f" [{low:,.{digits}f}-{high:,.{digits}f}]" if len(values) > 1 else ""
    return f"{middle:,.{digits}f}{span}"


def store(name: str, result: dict[str, Any]) -> None:
    """Writes benchmarks/results/NAME.json."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
