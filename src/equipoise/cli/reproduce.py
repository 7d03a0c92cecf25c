"""`equipoise reproduce`: a study by name, ours or somebody else's; it continues where it stopped."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.cli.finish import finish
from equipoise.cli.shared import Stopped, add_json, quiet_libraries
from equipoise.errors import UserError
from equipoise.registry import find

if TYPE_CHECKING:
    from equipoise.lab.results import StudyCell
    from equipoise.lab.study import Study
    from equipoise.lab.study_run import StudyRun


def add_to(verbs: Any) -> None:
    """Adds the command to the parser."""
    verb = verbs.add_parser("reproduce", help="run or continue a study, and write its tables")
    verb.add_argument(
        "study",
        help="sepo, alignment, either with _smollm2 behind it, or one of your own: package.module:NAME or "
        "path/file.py:NAME",
    )
    verb.add_argument("--out", type=Path, help="folder for cells, result and page (default: results/STUDY)")
    verb.add_argument("--work", type=Path, help="folder for run folders with models (default: runs/STUDY)")
    verb.add_argument("--games", nargs="+", default=[], metavar="GAME", help="some of the games (default: all)")
    verb.add_argument("--arms", nargs="+", default=[], metavar="ARM", help="some of the arms (default: all)")
    verb.add_argument("--seeds", type=int, help="at most this many training seeds an arm (default: the study's)")
    verb.add_argument("--jobs", type=int, default=2, help="cells trained at a time, one thread each (default: 2)")
    verb.add_argument("--minutes", type=float, default=float("inf"), help="start no cell after this much time")
    verb.add_argument("--quick", action="store_true", help="one seed, few steps: shows that everything runs")
    verb.add_argument("--document", type=Path, metavar="FILE", help="also write the result as this Markdown file")
    add_json(verb)
    verb.set_defaults(run=reproduce)


def reproduce(options: argparse.Namespace) -> None:
    """Runs or continues a study, then writes its result from whatever is finished."""
    from equipoise.lab.study_table import study_result
    from equipoise.reports.markdown import write_markdown
    from equipoise.reports.views import document_of

    run = _run(options)
    cells = _finished(options, run)
    result = study_result(run, cells, _command(options))
    finish(options, result, run.folder)
    if options.document is not None:
        for path in write_markdown(document_of(result), options.document):
            print(path, file=sys.stderr if options.json else sys.stdout)


def _run(options: argparse.Namespace) -> StudyRun:
    """The study in its folders; a quick one goes to a folder of its own."""
    from equipoise.lab.study_run import StudyRun

    found: Study = find("study", options.study)
    study = found.small() if options.quick else found
    seeds = 1 if options.quick and options.seeds is None else options.seeds
    size = study.size(options.games, options.arms, seeds, study.quick if options.quick else ())
    quick = Path("runs") / f"{study.name}-quick"
    out = options.out or (quick if options.quick else Path("results") / study.name)
    work = options.work or (out / "work" if options.quick else Path("runs") / study.name)
    return StudyRun(study, size, out, work)


def _finished(options: argparse.Namespace, run: StudyRun) -> list[StudyCell]:
    """The study's finished cells, after computing what is missing."""
    from equipoise.lab.workers import run as compute

    store, listed = run.store, [*run.references(), *run.cells()]
    store.open()
    keys = [cell.key for cell in listed]
    store.finished(keys)  # refuses cells of other settings before any work is done
    quiet_libraries()

    def progress(name: str, cell: StudyCell, left: int, seconds: float) -> None:
        cells = f"{left} cell{'' if left == 1 else 's'}"
        shown = run.study.measure.summary(cell)
        print(
            f"{name}: {shown} ({cell.made.seconds:.0f} s); {cells} left, about {seconds / 60:.0f} min", file=sys.stderr
        )

    try:
        compute(store, listed, run, jobs=options.jobs, progress=progress, minutes=options.minutes)
    except KeyboardInterrupt as stop:
        kept = f"finished cells are in {store.folder}; the same command continues"
        raise Stopped(f"stopped; {kept}", stop) from None
    found = store.finished(keys)
    if all(cell.reference for cell in found):
        raise UserError(f"no cell is finished in {store.folder}; give it more --minutes")
    return found


def _command(options: argparse.Namespace) -> str:
    return f"equipoise reproduce {options.study}" + (" --quick" if options.quick else "")
