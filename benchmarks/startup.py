"""How long a user waits before anything heavy is needed: light modules, first answers, exact metrics of one hand.

Every start runs in a fresh Python process, with one thread of numpy's linear algebra, and is timed in CPU seconds of
that process, beside the import of numpy alone. They alternate, and a ratio compares neighbours in time. The exact
metrics are two best responses and a NashConv on a compiled tree of one hand of Kuhn poker.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time

from common import machine, spread, store

from equipoise.games.first_rounds import FirstRounds
from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.games.kuhn_poker.opponents import UNIFORM
from equipoise.metrics import GameTree, behaviour_table, best_response, nash_conv

NUMPY = "import numpy"
LIGHT = "import equipoise.core, equipoise.games, equipoise.arena, equipoise.metrics, equipoise.objectives"
COMMAND = ["-m", "equipoise.cli.main"]
WAYS = {
    "python": ["-c", "pass"],
    "numpy": ["-c", NUMPY],
    "equipoise": ["-c", "import equipoise"],
    "light modules": ["-c", LIGHT],
    "equipoise --help": [*COMMAND, "--help"],
    "equipoise games": [*COMMAND, "games"],
}
TARGETS = {"equipoise": 300, "light modules": 300, "equipoise --help": 1500, "equipoise games": 1500}
"""CPU milliseconds; of imports without the start of Python itself."""
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def measure(arguments: list[str]) -> float:
    """CPU seconds of one Python process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, env=ONE_THREAD, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def exact_metrics(repeats: int) -> list[float]:
    """Seconds that two best responses and a NashConv of one hand take, each time."""
    tree = GameTree(FirstRounds(KuhnPoker()))
    tables = behaviour_table(tree, UNIFORM)
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        best_response(tree, tables, 0)
        best_response(tree, tables, 1)
        nash_conv(tree, tables)
        seconds.append(time.perf_counter() - started)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three repeats instead of twenty")
    options = parser.parse_args()
    repeats = 3 if options.quick else 20
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    for arguments in WAYS.values():  # compiles what is not compiled yet
        measure(arguments)
    for _ in range(repeats):
        for way, arguments in WAYS.items():
            seconds[way].append(measure(arguments))
    print("\nStart-up benchmark, median [range]")
    print(f"  {'':20}{'CPU milliseconds':>20}{'times numpy':>18}{'target, ms':>12}")
    for way, values in seconds.items():
        ratios = [value / other for value, other in zip(values, seconds["numpy"], strict=True)]
        print(
            f"  {way:20}{spread([1e3 * value for value in values]):>20}{spread(ratios):>18}{TARGETS.get(way, ''):>12}"
        )
    exact = exact_metrics(repeats)
    print(f"  exact metrics of one hand, wall ms: {spread([1e3 * value for value in exact])}; target: 1")
    store("startup", {"machine": machine(1), "seconds": seconds, "exact_seconds": exact})


if __name__ == "__main__":
    main()
