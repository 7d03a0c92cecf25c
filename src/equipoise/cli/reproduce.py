"""`equipoise reproduce`: the studies, each with its own options."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.cli.shared import Stopped, Worker, quiet_libraries
from equipoise.errors import UserError
from equipoise.games import SEPO_GAMES

if TYPE_CHECKING:
    from equipoise.lab.cells import Cell

FEWEST_BATCHES = 4
"""Two halves of two batches, for the credit audit on the model."""


def add_to(verbs: Any) -> None:
    """Adds the command and its studies to the parser."""
    reproduce = verbs.add_parser("reproduce", help="repeat a study")
    studies = reproduce.add_subparsers(dest="study", metavar="STUDY", required=True, help="which study")

    audit = studies.add_parser("gradient-audit", help="what each credit rule's gradient is worth against the exact one")
    audit.add_argument("--out", type=Path, default=Path("runs/gradient-audit"), help="folder for table and figure")
    audit.add_argument("--draws", type=int, default=2000, help="gradient estimates per rule (default: 2000)")
    audit.add_argument("--seed", type=int, default=0, help="keys all draws (default: 0)")
    audit.add_argument("--json", action="store_true", help="print JSON instead of text")
    audit.set_defaults(run=gradient_audit)

    aligned = studies.add_parser("tabular-alignment", help="what each alignment rule teaches a memory-one policy")
    folder = Path("results/alignment/tabular")
    aligned.add_argument("--out", type=Path, default=folder, help=f"folder for tables and figure (default: {folder})")
    aligned.add_argument("--seeds", type=int, default=20, help="training seeds of every arm (default: 20)")
    aligned.add_argument("--draws", type=int, default=1000, help="batches behind each variance (default: 1000)")
    aligned.add_argument("--json", action="store_true", help="print JSON instead of text")
    aligned.set_defaults(run=tabular_alignment)

    sepo_study = studies.add_parser(
        "sepo", help="every game, every objective, several seeds; continues where it stopped"
    )
    _study_options(sepo_study, "sepo", f"some of: {', '.join(SEPO_GAMES)}")
    sepo_study.add_argument(
        "--gradients", type=int, default=0, metavar="N", help="batches behind the credit audit on the model"
    )
    sepo_study.set_defaults(run=sepo)

    self_play = studies.add_parser(
        "alignment", help="three dilemmas, every credit of self-play, several seeds; continues where it stopped"
    )
    _study_options(self_play, "alignment", "some of: prisoners_dilemma, split_items, trust_and_split")
    self_play.set_defaults(run=alignment)


def _study_options(study: argparse.ArgumentParser, name: str, games: str) -> None:
    """The options of a study of cells (game, arm, seed)."""
    out, work = Path("results") / name, Path("runs") / name
    study.add_argument(
        "--out", type=Path, default=out, help=f"folder for cells, tables, figures, page (default: {out})"
    )
    study.add_argument("--work", type=Path, default=work, help=f"folder for run folders with models (default: {work})")
    study.add_argument("--games", nargs="+", default=[], metavar="GAME", help=games)
    study.add_argument("--arms", nargs="+", default=[], metavar="ARM", help="some of the arms (default: all)")
    study.add_argument("--seeds", type=int, help="at most this many training seeds an arm (default: 5, some arms 3)")
    study.add_argument("--jobs", type=int, default=2, help="cells trained at a time, one thread each (default: 2)")
    study.add_argument("--minutes", type=float, default=float("inf"), help="start no cell after this much time")
    study.add_argument("--quick", action="store_true", help="one seed, few steps: shows that everything runs")
    study.add_argument("--document", type=Path, help="also write the results as this Markdown file")
    study.add_argument("--json", action="store_true", help="print the table as JSON")


def gradient_audit(options: argparse.Namespace) -> None:
    """Repeats the gradient audit."""
    from equipoise.lab.gradient_audit import audit_table, gradient_audit, write_audit

    result = gradient_audit(draws=options.draws, seed=options.seed)
    paths = write_audit(result, options.out)
    if options.json:
        print(paths[0].read_text(encoding="utf-8"))
        return
    print(audit_table(result))
    for path in paths:
        print(path)


def tabular_alignment(options: argparse.Namespace) -> None:
    """Repeats the study of alignment on a memory-one policy."""
    from equipoise.lab.tabular_alignment_report import alignment_text, write_alignment
    from equipoise.lab.tabular_alignment_study import TabularAlignmentStudy, tabular_alignment_study

    study = TabularAlignmentStudy(options.seeds, options.draws)
    options.out.mkdir(parents=True, exist_ok=True)  # a folder that cannot be made is told before the work, not after

    def told(part: str, seconds: float) -> None:
        print(f"{part}: {seconds:.0f} s", file=sys.stderr)

    table = tabular_alignment_study(study, told)
    paths = write_alignment(table, options.out)
    if options.json:
        print(paths[0].read_text(encoding="utf-8"))
        return
    print(alignment_text(table))
    for path in paths:
        print(path)


def sepo(options: argparse.Namespace) -> None:
    """Runs or continues the SEPO study, then writes its tables from whatever is finished."""
    from equipoise.lab.sepo import QUICK, SepoSettings, SepoStudy, cells
    from equipoise.lab.sepo_table import sepo_table
    from equipoise.reports import study_markdown, study_text, write_study

    if 0 < options.gradients < FEWEST_BATCHES or options.gradients < 0:
        raise UserError(f"got --gradients {options.gradients}; allowed: 0, or at least {FEWEST_BATCHES} batches")
    settings = _sized(options, QUICK if options.quick else SepoSettings(), ("base", "sft"))
    study, listed = SepoStudy(settings, options.work), cells(settings)

    def told(result: dict[str, Any]) -> str:
        index = result["estimates"].get("sepo_index", {}).get("value")
        return "" if index is None else f" S {index:+.2f}"

    results = _results(options, study, listed, told)
    table = sepo_table(study, listed, results, _command(options, "sepo"))
    table["gradients"] = _gradients(options, study)
    _written(options, table, write_study, study_markdown, study_text)


def alignment(options: argparse.Namespace) -> None:
    """Runs or continues the alignment study, then writes its tables from whatever is finished."""
    from equipoise.lab.alignment import AGENT, QUICK, AlignmentSettings, AlignmentStudy, cells
    from equipoise.lab.alignment_table import alignment_study_table
    from equipoise.reports import alignment_study_markdown, alignment_study_text, write_alignment_study

    settings = _sized(options, QUICK if options.quick else AlignmentSettings())
    study, listed = AlignmentStudy(settings, options.work), cells(settings)

    def told(result: dict[str, Any]) -> str:
        met = result["met"]
        alone, greedy = (met[name][who]["pay"]["value"] for name, who in ((AGENT, "agent"), ("greedy", "opponent")))
        return (
            f" self-play {alone:.2f}, greedy takes {greedy:.2f}, probe's gain {result['probe']['gain']['value']:+.2f}"
        )

    results = _results(options, study, listed, told)
    table = alignment_study_table(study, listed, results, _command(options, "alignment"))
    _written(options, table, write_alignment_study, alignment_study_markdown, alignment_study_text)


def _sized(options: argparse.Namespace, settings: Any, always: tuple[str, ...] = ()) -> Any:
    """A study's settings with what the options change; a quick study goes to a folder of its own."""
    chosen: dict[str, Any] = {}
    if options.games:
        chosen["games"] = tuple(dict.fromkeys(options.games))
    if options.arms:
        chosen["arms"] = tuple(dict.fromkeys([*always, *options.arms]))
    if options.seeds is not None:
        chosen["max_seeds"] = options.seeds
    if options.quick and options.out == Path("results") / options.study:
        options.out = Path("runs") / f"{options.study}-quick"
        options.work = options.out / "work"
    return dataclasses.replace(settings, **chosen)


def _results(
    options: argparse.Namespace, study: Any, listed: Sequence[Cell], shown: Callable[[dict[str, Any]], str]
) -> list[dict[str, Any]]:
    """The study's finished cells, after computing what is missing; `shown` says a cell's main figures."""
    from equipoise.lab.arms import stored
    from equipoise.lab.cells import run_cells
    from equipoise.training.run import Interrupted

    folder = options.out / "cells"
    stored(folder, study, listed)  # refuses cells of other settings before any work is done
    quiet_libraries()

    def told(name: str, result: dict[str, Any], left: int, seconds: float) -> None:
        cells = f"{left} cell{'' if left == 1 else 's'}"
        text = f"{name}:{shown(result)} ({result['seconds']:.0f} s); {cells} left, about {seconds / 60:.0f} min"
        print(text, file=sys.stderr)

    try:
        run_cells(folder, listed, Worker(study, "cell"), jobs=options.jobs, told=told, minutes=options.minutes)
    except (Interrupted, KeyboardInterrupt) as stop:
        kept = f"finished cells are in {folder}; the same command continues"
        raise Stopped(f"stopped; {kept}", stop) from None
    results = stored(folder, study, listed)
    if not results:
        raise UserError(f"no cell is finished in {folder}; give it more --minutes")
    return results


def _command(options: argparse.Namespace, study: str) -> str:
    return f"equipoise reproduce {study}" + (" --quick" if options.quick else "")


def _written(
    options: argparse.Namespace,
    table: dict[str, Any],
    write: Callable[[dict[str, Any], Path], list[Path]],
    markdown: Callable[[dict[str, Any], str], str],
    text: Callable[[dict[str, Any]], str],
) -> None:
    """Writes a study's files and prints its table."""
    from equipoise.reports.files import write_atomically

    paths = write(table, options.out)
    if options.document is not None:
        figures = Path(os.path.relpath(options.out / "figures", options.document.parent)).as_posix()
        write_atomically(options.document, markdown(table, figures))
        paths.append(options.document)
    if options.json:
        print(json.dumps(table, indent=1))
        return
    print(text(table))
    for path in paths:
        print(path)


def _gradients(options: argparse.Namespace, study: Any) -> dict[str, Any] | None:
    """The credit audit on the model itself: computed where asked, else what an earlier call left."""
    from equipoise.lab.sepo import model_credit_audit
    from equipoise.reports.files import write_atomically

    path = options.out / "gradients.json"
    stored: dict[str, Any] | None = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    if options.gradients and (stored is None or stored["batches"] != options.gradients):
        stored = model_credit_audit(study, options.gradients)
        write_atomically(path, json.dumps(stored, indent=1) + "\n")
    return stored
