"""What each command does. Heavy packages are imported inside a command, so that `equipoise --help` is instant."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equipoise.cli.shared import Stopped, pairs, quiet_libraries
from equipoise.errors import UserError
from equipoise.games import domain, make_game


def train(options: argparse.Namespace) -> None:
    """Trains by a recipe, then audits where it started and where it ended."""
    from equipoise.lab.audit import AuditSettings
    from equipoise.lab.single_run import report_of_run
    from equipoise.training.recipe import label_of, load_recipe
    from equipoise.training.run import Interrupted
    from equipoise.training.run import train as run

    overrides = list(options.set)
    if options.model is not None:
        overrides.append(f"model={json.dumps(options.model)}")
    if options.seed is not None:
        overrides.append(f"seed={options.seed}")
    settings = AuditSettings(deals=options.deals)
    if options.games:
        overrides.append(f"games={json.dumps(options.games)}")
    source = options.recipe or "sepo/joint"
    label = label_of(source)
    if options.recipe is None and not options.games:
        if not options.resume or options.out is None:
            raise UserError("nothing to train on; name a recipe, or give --games (for example --games all)")
        source, label = str(options.out / "recipe.toml"), options.out.name
        if not Path(source).is_file():
            raise UserError(f"nothing to resume in {options.out}: it has no recipe.toml; name a recipe and start")
    recipe = load_recipe(source, overrides)
    out = options.out or Path("runs") / f"{recipe.title}-{label}"
    quiet_libraries()
    try:
        model = run(recipe, out, resume=options.resume, force=options.force, label=label)
    except Interrupted as stop:
        raise Stopped(str(stop), stop) from None
    if options.no_audit:
        print(json.dumps({"model": str(model)}) if options.json else f"model: {model}")
        return
    if len(recipe.names) == 1:
        _finish(options, report_of_run(recipe, out, settings.deals), out)
        return
    for name in recipe.names:
        _finish(options, report_of_run(recipe, out, settings.deals, name), out / name)


def audit(options: argparse.Namespace) -> None:
    """Audits one model in one game."""
    from equipoise.lab.audit import AuditSettings
    from equipoise.lab.single_run import report_of_model
    from equipoise.lab.store import check_folder
    from equipoise.policies.language_model import Sampling, usual_reply_tokens

    profile = domain(options.game).profile(options.profile)
    game = make_game(options.game, **{**profile.parameters, **pairs(options.set)})
    longest = usual_reply_tokens(game) if options.max_new_tokens is None else options.max_new_tokens
    sampling = Sampling(options.temperature, longest, options.reasoning, options.thinking)
    settings = AuditSettings(
        deals=options.deals,
        seed=options.seed,
        fault_rule=options.fault_rule,
        profile=options.profile,
        exact=options.exact_rounds != 0,
        exact_rounds=options.exact_rounds or None,
        learned_episodes=options.learned_episodes,
        regret_deals=options.regret_deals,
    )
    if options.out is not None:
        check_folder(options.out)
        if (options.out / "report.json").exists():
            raise UserError(f"{options.out} already holds a report; choose another --out")
    quiet_libraries()
    _finish(options, report_of_model(options.model, game, sampling, settings, episodes_to=options.out), options.out)


def report(options: argparse.Namespace) -> None:
    """Renders a stored report again."""
    from equipoise.reports import load_report

    _finish(options, load_report(options.folder), options.out or options.folder)


def demo(options: argparse.Namespace) -> None:
    """Runs or continues the demo and writes its report."""
    from equipoise.lab.demo import DemoSettings
    from equipoise.lab.demo import demo as run
    from equipoise.training.run import Interrupted

    if options.seeds < 1:
        raise UserError(f"got --seeds {options.seeds}; at least 1 is needed")
    settings = DemoSettings(tuple(range(options.seeds)), options.deals, tuple(options.set))
    quiet_libraries()
    try:
        result = run(options.out, settings, lambda line: print(line, file=sys.stderr))
    except Interrupted as stop:
        said = f"stopped; everything finished is kept. The same command continues in {options.out}"
        raise Stopped(said, stop) from None
    _finish(options, result, options.out)


def _finish(options: argparse.Namespace, record: Mapping[str, Any], out: Path | None) -> None:
    """Writes report.json and report.html where asked, and prints the summary."""
    from equipoise.reports import clean_report, report_text, write_report

    page = write_report(dict(record), out) if out is not None else None
    if options.json:
        print(json.dumps(clean_report(record), indent=1))
        return
    print(report_text(dict(record)))
    if page is not None:
        print(f"report: {page}")
