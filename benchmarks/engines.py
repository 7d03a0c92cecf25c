"""Engines beside what else one could use, with a real pretrained model, side by side in one run.

    a   three loads (`loads.py`) in five ways to draw replies (`ways.py`): replies per second
    b   a training step in Kuhn poker as token trees, as padded rows, and by TRL (`steps.py`)
    c   what drawing costs beside the forward pass at a vocabulary of 152k (`draws.py`)

Every measurement runs in a process of its own, on one torch thread, and is timed in CPU seconds, which on an idle core
are wall seconds. In part a ways alternate, and a ratio compares neighbours in time. Slow ways play less of the games,
each of whose replies costs them about as much; `--share 1` has every way play everything. Of free text all ways but one
at a time draw all at once: how many rows are stepped together decides there.

vLLM and, where wanted, TRL have environments of their own: `--vllm .venv-vllm/bin/python --trl PYTHON`. What is not
installed, fails or does not finish in time says so in its cell.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import draws
import loads
import steps
from common import WIDTH, Unmeasured, in_child, in_other, machine, prepare_children, spread, store

SIZES = {
    "kuhn": {"local": 108, "generate": 14, "vllm": 27, "continuous": 14, "one at a time": 7},
    "dilemma": {"local": 64, "generate": 4, "vllm": 16, "continuous": 4, "one at a time": 2},
    "free": {"local": 64, "generate": 64, "vllm": 64, "continuous": 64, "one at a time": 4},
}
"""Hands, of which 108 are about 256 decisions; episodes; replies. What `local` plays is the load, the others play of it
what they do in a minute or so."""
WAYS = ("local", "generate", "vllm", "continuous", "one at a time")
STEP_WAYS = ("tree", "rows", "trl")
BATCHES = (64, 192)
TARGETS: dict[str, Any] = {"a": {"kuhn": 5.0, "dilemma": 2.0, "free": 1.0}, "b": 4.0, "c": 0.10}
"""How many times as fast as `generate` the local engine is to be, by load; how many times as fast and as small as the
others a step; the share of a decode step outside the forward pass."""
SETTINGS = {"a": ("model", "repeats", "share"), "b": ("model", "repeats", "rows"), "c": ("repeats",)}
"""What of the command line decides a part's results."""


def size_of(way: str, load: str, share: float | None) -> int:
    """How much of a load a way plays."""
    return SIZES[load][way] if share is None else max(1, round(SIZES[load]["local"] * share))


def cell(measured: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A measurement, or why there is none: one of many cells, most of them of foreign code, must not end the others."""
    try:
        return measured()
    except Unmeasured as why:
        return {"unmeasured": str(why)}
    except Exception as error:
        return {"unmeasured": f"failed: {type(error).__name__}: {error}".splitlines()[0]}


def part_a(options: argparse.Namespace) -> None:
    """Every way on every load, in turn."""
    for load in options.loads:
        cells: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
        for repeat in range(options.repeats):
            for way in WAYS:
                asked = way, load, size_of(way, load, options.share), options.model, repeat
                if way != "vllm":
                    found = cell(lambda asked=asked: in_child(loads.measure, *asked, timeout_s=options.timeout))
                elif options.vllm:
                    found = cell(
                        lambda asked=asked: in_other(options.vllm, loads.measure, *asked, timeout_s=options.timeout)
                    )
                else:
                    found = {"unmeasured": "not installed"}
                cells[way].append(found)
                tell(f"{load}, {way}: {found.get('unmeasured') or round(rate(found), 2)}")
            keep(load, options, "a", cells)
        show_load(load, cells)


def rate(measured: dict[str, Any]) -> float:
    """Replies per CPU second; NaN where nothing was measured."""
    return measured["replies"] / measured["cpu_seconds"] if "replies" in measured else math.nan


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Ours over theirs, neighbours in time, where both were measured."""
    found = [a / b for a, b in zip(ours, theirs, strict=True)]
    return [ratio for ratio in found if not math.isnan(ratio)]


def show_load(load: str, cells: dict[str, list[dict[str, Any]]]) -> None:
    """Prints a load's table."""
    print(f"\n{load}: median [range] of {len(cells['local'])} repeats in turn")
    print(
        f"  {'way':14}{'replies':>8}{'tokens of prompts':>18}{'drawn':>8}{'fed':>9}  {'replies / CPU s':20}local / this"
    )
    rates = {way: [rate(one) for one in own] for way, own in cells.items()}
    for way, own in cells.items():
        done = [one for one in own if "replies" in one]
        if not done:
            print(f"  {way:14}{own[0]['unmeasured']}")
            continue
        counts = f"{done[0]['replies']:8,}{done[0]['prompt_tokens']:18,}{done[0]['drawn_tokens']:8,}"
        fed = f"{done[0]['fed_tokens']:,}" if done[0]["fed_tokens"] else "unseen"
        beside = spread(ratios(rates["local"], rates[way])) if way != "local" else ""
        short = "" if len(done) == len(own) else f"  ({len(own) - len(done)} of {len(own)}: unmeasured)"
        speed = spread([value for value in rates[way] if not math.isnan(value)])
        print(f"  {way:14}{counts}{fed:>9}  {speed:20}{beside}{short}")
    print(f"  target: local at least {TARGETS['a'][load]:.0f} times generate")


def part_b(options: argparse.Namespace) -> None:
    """A step in every way, in turn."""
    cells: dict[str, dict[str, Any]] = {}
    for way in STEP_WAYS:
        asked = way, options.model, options.rows, options.repeats
        if way != "trl":
            found = cell(lambda asked=asked: in_child(steps.measure, *asked, timeout_s=options.timeout))
        elif options.trl:
            found = cell(lambda asked=asked: in_other(options.trl, steps.measure, *asked, timeout_s=options.timeout))
        else:
            found = {"unmeasured": "not installed"}
        cells[way] = found
        tell(f"step, {way}: {found}")
    show_steps(cells)
    keep("step", options, "b", cells)


def show_steps(cells: dict[str, dict[str, Any]]) -> None:
    """Prints the steps' table."""
    done = {way: found for way, found in cells.items() if "seconds" in found}
    rows = max((found["rows"] for found in done.values()), default=0)
    print(f"\na training step of {rows} rows: median [range]")
    print(f"  {'way':8}{'tokens run':>12}{'CPU s':>20}{'kept, MiB':>12}{'time / tree':>20}{'kept / tree':>13}")
    for way, found in cells.items():
        if way not in done:
            print(f"  {way:8}{found['unmeasured']}")
            continue
        line = f"  {way:8}{found['tokens']:12,}{spread(found['seconds']):>20}{found['mib']:12,.0f}"
        if way != "tree" and "tree" in done:
            tree = done["tree"]
            line += f"{spread(ratios(found['seconds'], tree['seconds'])):>20}{found['mib'] / tree['mib']:13.1f}"
        print(line)
    print(f"  target: {TARGETS['b']:.0f} times in time and in memory, of rows and of TRL")


def part_c(options: argparse.Namespace) -> None:
    """Shares of a decode step, by batch."""
    results: dict[str, Any] = {}
    for batch in options.batches:
        results[str(batch)] = found = in_child(draws.measure, batch, options.repeats)
        print(f"\na decode step of {batch} replies, 151,936 tokens: median [range] of {len(found)} repeats, CPU ms")
        for part in found[0]:
            share = spread([100 * one[part] / sum(one.values()) for one in found])
            print(f"  {part:10}{spread([1e3 * one[part] for one in found]):>24}{share:>22} %")
    print(f"  target: all but the forward pass at most {100 * TARGETS['c']:.0f} %")
    keep("drawing", options, "c", results)


def keep(name: str, options: argparse.Namespace, part: str, results: Any) -> None:
    """Stores what a table shows, as soon as it is there: what comes next may take long."""
    if options.store:
        settings = {setting: getattr(options, setting) for setting in SETTINGS[part]}
        target = TARGETS[part][name] if part == "a" else TARGETS[part]
        store(f"engines_{name}", {"machine": machine(1), "settings": settings, "target": target, "results": results})


PARTS = {"a": part_a, "b": part_b, "c": part_c}


def tell(line: str) -> None:
    """Says how far it is, beside the tables."""
    print(line, file=sys.stderr, flush=True)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    own_trl = sys.executable if importlib.util.find_spec("trl") else None
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=tuple(PARTS), default=list(PARTS), help="default: all")
    parser.add_argument("--model", default="smollm2", help="model name or folder (default: smollm2)")
    parser.add_argument("--loads", nargs="+", choices=tuple(SIZES), default=list(SIZES), help="of part a")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--share", type=float, help="of each load that every way plays, as 1 or 0.1")
    parser.add_argument("--rows", type=int, default=0, help="of part b (default: all)")
    parser.add_argument("--batches", type=int, nargs="+", default=list(BATCHES), help="of part c")
    parser.add_argument("--timeout", type=float, default=1_800, help="seconds until a measurement is given up")
    parser.add_argument("--vllm", metavar="PYTHON", help="of an environment with vLLM")
    parser.add_argument("--trl", metavar="PYTHON", default=own_trl, help="of an environment with TRL")
    parser.add_argument("--no-store", dest="store", action="store_false", help="nothing in benchmarks/results")
    options = parser.parse_args(arguments)
    for name in ("vllm", "trl"):
        if (python := getattr(options, name)) and not Path(python).is_file():
            parser.error(f"--{name} {python}: no such file")
    return options


def main() -> None:
    options = parse()
    prepare_children()
    print(f"Engines benchmark: {options.model}, one thread".ljust(WIDTH - 1))
    for part in options.parts:
        PARTS[part](options)


if __name__ == "__main__":
    main()
