"""What the benchmarks share: the machine, a child process per measurement, the stored result."""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results"
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


class Unmeasured(Exception):
    """A measurement that came to no figure; the message says why, in a few words for its cell of a table."""


def in_child(
    measurement: Callable[..., dict[str, Any]], *arguments: Any, timeout_s: float | None = None
) -> dict[str, Any]:
    """Result of a measurement in a process of its own, so that its peak memory is its own.

    Raises:
        Unmeasured: Where it is not done in time; its process is ended.
    """
    pool = multiprocessing.get_context("forkserver").Pool(1)
    try:
        result: dict[str, Any] = pool.apply_async(measurement, arguments).get(timeout_s)
    except multiprocessing.TimeoutError:
        pool.terminate()
        raise Unmeasured(f"did not finish in {timeout_s:.0f} s") from None
    pool.close()
    pool.join()
    return result


def in_other(
    python: str, measurement: Callable[..., dict[str, Any]], *arguments: Any, timeout_s: float
) -> dict[str, Any]:
    """`in_child` in another environment; arguments and result are what JSON can say.

    Args:
        python: The environment's Python.
        measurement: A function of a module in this folder.
        arguments: What it takes.
        timeout_s: When its process is ended.

    Raises:
        Unmeasured: Where it fails, or is not done in time.
    """
    module = measurement.__module__
    code = f"import json, sys, {module}; print(json.dumps({module}.{measurement.__name__}(*json.loads(sys.argv[1]))))"
    try:
        done = subprocess.run(
            [python, "-c", code, json.dumps(arguments)],
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(FOLDER), str(FOLDER.parent / "src")])},
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired:
        raise Unmeasured(f"did not finish in {timeout_s:.0f} s") from None
    if done.returncode < 0:
        raise Unmeasured(f"was ended by signal {-done.returncode}")
    if done.returncode:
        raise Unmeasured(f"failed: {(done.stderr.strip() or 'without a word').splitlines()[-1]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])  # before it libraries may have talked
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
