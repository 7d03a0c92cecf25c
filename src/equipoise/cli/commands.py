"""What each command does. Heavy packages are imported inside a command, so that `equipoise --help` is instant."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equipoise.core import Game
from equipoise.games import DOMAINS, domain, make_game
from equipoise.games.text import observations, render_rules

STUDIES = {"gradient-audit": "what each credit rule's gradient estimate is worth against the exact one"}


class Stopped(Exception):
    """The user stopped a command; the message says what was saved and how to go on."""


def games(options: argparse.Namespace) -> None:
    """Lists the games or shows one."""
    if options.name is None:
        known = [_summary(make_game(name)) for name in DOMAINS]
        _print(options, known, "\n".join(f"{g['name']:20} {g['players']} players  {g['unit']}" for g in known))
        return
    game = make_game(options.name, **_pairs(options.set))
    prompts = _sample_prompts(game)
    pools = {pool: [_opponent(o) for o in domain(game.name).pools.of(pool)] for pool in domain(game.name).pools.names}
    record = {**_summary(game), "rules": render_rules(game), "prompts": prompts, "pools": pools}
    lines = [f"{game.name}: {game.num_players} players, {game.num_rounds} round(s), {game.unit}", ""]
    lines += ["Rules as a model reads them:", *_wrapped(render_rules(game)), "", "Prompts and replies of one episode:"]
    for prompt in prompts:
        lines += _wrapped(f"seat {prompt['seat']} sees: {prompt['sees']}")
        lines += _wrapped(f"seat {prompt['seat']} says: {prompt['says']}")
    lines += ["", "Opponents:"]
    for pool, members in pools.items():
        lines += _wrapped(f"{pool}: {', '.join(m['name'] for m in members) or 'none'}")
    _print(options, record, "\n".join(lines))


def _summary(game: Game) -> dict[str, Any]:
    return {
        "name": game.name,
        "players": game.num_players,
        "unit": game.unit,
        "zero_sum": game.zero_sum,
        "parameters": game.parameters,
    }


def _opponent(opponent: Any) -> dict[str, Any]:
    return {"name": opponent.name, "stochastic": opponent.stochastic, "source": opponent.source}


def _sample_prompts(game: Any) -> list[dict[str, Any]]:
    """One scripted episode in words."""
    from equipoise.arena import Match, rollout
    from equipoise.policies import ScriptedPolicy

    first = domain(game.name).pools.train[0]
    (episode,) = rollout(game, {first.name: ScriptedPolicy(first)}, [Match((first.name, first.name), 0)], seed=0)
    prompts = []
    for decision in episode.decisions:
        seen, _ = observations(game, decision.information_state, decision.seat, decision.legal)
        prompts.append({"seat": decision.seat, "sees": seen[-1], "says": game.action_text(decision.action)})
    return prompts


def train(options: argparse.Namespace) -> None:
    """Trains by a recipe, then audits where it started and where it ended."""
    from equipoise.studies.audit import AuditSettings
    from equipoise.studies.single_run import report_of_run
    from equipoise.training.recipe import find_recipe, load_recipe
    from equipoise.training.run import Interrupted
    from equipoise.training.run import train as run

    overrides = list(options.set)
    if options.model is not None:
        overrides.append(f"model={json.dumps(options.model)}")
    if options.seed is not None:
        overrides.append(f"seed={options.seed}")
    settings = AuditSettings(deals=options.deals)
    path = find_recipe(options.recipe)
    recipe = load_recipe(path, overrides)
    out = options.out or Path("runs") / f"{recipe.game}-{path.stem}"
    _quiet_libraries()
    try:
        run(recipe, out, resume=options.resume, label=path.stem)
    except Interrupted as stop:
        raise Stopped(str(stop)) from None
    _finish(options, report_of_run(recipe, out, settings.deals), out)


def audit(options: argparse.Namespace) -> None:
    """Audits one model in one game."""
    from equipoise.studies.single_run import report_of_model

    game = make_game(options.game, **_pairs(options.set))
    if options.out is not None:
        _usable(options.out)
        if (options.out / "report.json").exists():
            raise ValueError(f"{options.out} already holds a report; choose another --out")
    _quiet_libraries()
    report = report_of_model(
        options.model,
        game,
        deals=options.deals,
        seed=options.seed,
        fault_rule=options.fault_rule,
        temperature=options.temperature,
        max_new_tokens=options.max_new_tokens,
        episodes_to=options.out,
    )
    _finish(options, report, options.out)


def _usable(folder: Path) -> None:
    """Raises before any work is done when a folder cannot be made."""
    for path in (folder, *folder.parents):
        if path.exists() and not path.is_dir():
            raise ValueError(f"--out {folder}: {path} is a file; choose another folder")


def report(options: argparse.Namespace) -> None:
    """Renders a stored report again."""
    from equipoise.reports import load_report

    _finish(options, load_report(options.folder), options.out or options.folder)


def reproduce(options: argparse.Namespace) -> None:
    """Repeats a study."""
    from equipoise.studies.gradient_audit import audit_table, gradient_audit, write_audit

    out = options.out or Path("runs") / options.study
    result = gradient_audit(draws=options.draws, seed=options.seed)
    paths = write_audit(result, out)
    if options.json:
        print(paths[0].read_text(encoding="utf-8"))
        return
    print(audit_table(result))
    for path in paths:
        print(path)


def demo(options: argparse.Namespace) -> None:
    """Runs or continues the demo and writes its report."""
    from equipoise.studies.demo import DemoSettings
    from equipoise.studies.demo import demo as run
    from equipoise.training.run import Interrupted

    if options.seeds < 1:
        raise ValueError(f"got --seeds {options.seeds}; at least 1 is needed")
    settings = DemoSettings(tuple(range(options.seeds)), options.deals, tuple(options.set))
    _quiet_libraries()
    try:
        result = run(options.out, settings, lambda line: print(line, file=sys.stderr))
    except Interrupted:
        raise Stopped(f"stopped; everything finished is kept. The same command continues in {options.out}") from None
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


def _quiet_libraries() -> None:
    """Keeps third-party notices that a user can do nothing about out of the terminal."""
    import os
    import warnings

    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers\..*")
    from transformers.utils import logging

    logging.disable_progress_bar()


def _print(options: argparse.Namespace, record: Any, text: str) -> None:
    print(json.dumps(record, indent=1) if options.json else text)


def _pairs(texts: list[str]) -> dict[str, Any]:
    """`key=value` settings as keyword arguments; integers and numbers are recognised."""
    pairs: dict[str, Any] = {}
    for text in texts:
        key, separator, value = text.partition("=")
        if not separator:
            raise ValueError(f"setting {text!r} has no '='; write key=value, for example hands=6")
        try:
            pairs[key] = json.loads(value)
        except json.JSONDecodeError:
            pairs[key] = value
    return pairs


def _wrapped(text: str) -> list[str]:
    import textwrap

    return textwrap.wrap(text, 78, initial_indent="  ", subsequent_indent="  ")
