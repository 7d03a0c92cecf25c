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

from equipoise.cli.shared import Stopped, quiet_libraries
from equipoise.errors import UserError
from equipoise.games import SEPO_GAMES

if TYPE_CHECKING:
    from equipoise.lab.workers import Cell

MOVED = {"gradient-audit": "research.gradient_audit", "tabular-alignment": "research.tabular_alignment"}
"""Scripts of a checkout, by the name of the study that an earlier command line had."""


def add_to(verbs: Any) -> None:
    """Adds the command and its studies to the parser."""
    reproduce = verbs.add_parser("reproduce", help="repeat a study")
    studies = reproduce.add_subparsers(dest="study", metavar="STUDY", required=True, help="which study")

    sepo_study = studies.add_parser(
        "sepo", help="every game, every objective, several seeds; continues where it stopped"
    )
    _study_options(sepo_study, "sepo", f"some of: {', '.join(SEPO_GAMES)}")
    sepo_study.set_defaults(run=sepo)

    self_play = studies.add_parser(
        "alignment", help="three dilemmas, every credit of self-play, several seeds; continues where it stopped"
    )
    _study_options(self_play, "alignment", "some of: prisoners_dilemma, split_items, trust_and_split")
    self_play.set_defaults(run=alignment)

    for name in MOVED:  # with no help, so that no list shows it; no character begins an option, so any may follow
        gone = studies.add_parser(name, add_help=False, prefix_chars="\0")
        gone.add_argument("ignored", nargs="*")
        gone.set_defaults(run=moved)


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


def moved(options: argparse.Namespace) -> None:
    """Says where a study that is no longer part of the command line is.

    Raises:
        UserError: Always.
    """
    raise UserError(f"{options.study} is a research script; run python -m {MOVED[options.study]} from a checkout")


def sepo(options: argparse.Namespace) -> None:
    """Runs or continues the SEPO study, then writes its tables from whatever is finished."""
    from equipoise.lab.sepo import QUICK, SepoSettings, SepoStudy, cells
    from equipoise.lab.sepo_table import sepo_table
    from equipoise.reports import study_markdown, study_text, write_study

    settings = _sized(options, QUICK if options.quick else SepoSettings(), ("base", "sft"))
    study, listed = SepoStudy(settings, options.work), cells(settings)

    def told(result: dict[str, Any]) -> str:
        index = result["estimates"].get("sepo_index", {}).get("value")
        return "" if index is None else f" S {index:+.2f}"

    results = _results(options, study, listed, told)
    table = sepo_table(study, listed, results, _command(options, "sepo"))
    table["gradients"] = _gradients(options.out)
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
    from equipoise.lab.arms import store_of
    from equipoise.lab.workers import run

    store, keys = store_of(study, options.out / "cells"), [cell.key for cell in listed]
    store.open()
    store.finished(keys)  # refuses cells of other settings before any work is done
    quiet_libraries()

    def progress(name: str, result: dict[str, Any], left: int, seconds: float) -> None:
        cells = f"{left} cell{'' if left == 1 else 's'}"
        text = f"{name}:{shown(result)} ({result['seconds']:.0f} s); {cells} left, about {seconds / 60:.0f} min"
        print(text, file=sys.stderr)

    try:
        run(store, listed, study, jobs=options.jobs, progress=progress, minutes=options.minutes)
    except KeyboardInterrupt as stop:
        kept = f"finished cells are in {store.folder}; the same command continues"
        raise Stopped(f"stopped; {kept}", stop) from None
    results = store.finished(keys)
    if not results:
        raise UserError(f"no cell is finished in {store.folder}; give it more --minutes")
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
    from equipoise.files import write_atomically

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


def _gradients(folder: Path) -> dict[str, Any] | None:
    """What each credit rule is worth on the model itself, where `research.model_gradients` has left it."""
    path = folder / "gradients.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
