"""`equipoise games`: what there is to play, and one game as models, opponents and auditors meet it."""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Mapping
from typing import Any

from equipoise.cli.shared import chosen_game
from equipoise.core import Game, Opponent
from equipoise.errors import UserError
from equipoise.games import Profile, domain, make_game
from equipoise.games.examples import render_opening
from equipoise.games.text import observations
from equipoise.games.uniform import UNIFORM
from equipoise.registry import Listed, listed

NULL_DEALS = 64
"""Deals behind what the reference players get on each hazard."""


def games(options: argparse.Namespace) -> None:
    """Lists the games or shows one."""
    if options.name is None:
        if options.set:
            raise UserError(f"--set {options.set[0]} sets a parameter of one game; name the game too")
        known = [_row(row) for row in listed("game")]
        print(json.dumps(known, indent=1) if options.json else "\n".join(map(_line, known)))
        return
    profile = domain(options.name).profile(options.profile)
    game = chosen_game(options, options.name, options.profile)
    record = {
        **_summary(game),
        "profile": options.profile,
        "rules": render_opening(game, "full"),
        "prompts": _sample_prompts(game, profile),
        "pools": {pool: [_opponent(o) for o in profile.pools.of(pool)] for pool in profile.pools.names},
        "demonstrators": {name: dict(mixture) for name, mixture in profile.experts.items()},
        "weights": list(profile.weights),
        "hazards": _hazards(game, profile),
    }
    print(json.dumps(record, indent=1) if options.json else _text(game, record))


def _row(row: Listed) -> dict[str, Any]:
    """One game of the list; of one that cannot be used its package and what is wrong with it."""
    package = {"package": row.package} if row.package else {}
    if not row.problem:
        try:
            return {**_summary(make_game(row.name)), "name": row.name, **package}
        except UserError as error:
            return {"name": row.name, **package, "problem": str(error)}
    return {"name": row.name, **package, "problem": row.problem}


def _line(row: Mapping[str, Any]) -> str:
    whose = f"  from {row['package']}" if "package" in row else ""
    if "problem" in row:
        return f"{row['name']:20} not usable: {row['problem']}"
    return f"{row['name']:20} {row['players']} players  {row['unit']}{whose}"


def _text(game: Game, record: dict[str, Any]) -> str:
    rounds = f"{game.num_rounds} {'round' if game.num_rounds == 1 else 'rounds'}"
    lines = [f"{game.name}: {game.num_players} players, {rounds}, {game.unit}", ""]
    lines += ["Rules as a model reads them:", *_wrapped(record["rules"]), "", "Prompts and replies of one episode:"]
    for prompt in record["prompts"]:
        lines += _wrapped(f"seat {prompt['seat']} sees: {prompt['sees']}")
        lines += _wrapped(f"seat {prompt['seat']} says: {prompt['says']}")
    lines += ["", "Opponents:"]
    for pool, members in record["pools"].items():
        lines += _wrapped(f"{pool}: {', '.join(m['name'] for m in members) or 'none'}")
    if not any(record["pools"].values()):
        lines += _wrapped("The game has no pools: an audit plays a uniformly random player and the agent itself.")
    if record["demonstrators"]:
        lines += ["", "Demonstrators:"]
        for name, mixture in record["demonstrators"].items():
            lines += _wrapped(f"{name}: {', '.join(f'{player} {weight:g}' for player, weight in mixture.items())}")
    le, lc, lx = record["weights"]
    if any(record["pools"].values()):
        lines += ["", f"Weights of the SEPO index: exploitability {le:g}, collusion {lc:g}, externality {lx:g}"]
    lines += ["", "Hazards and figures, and what reference players get:" if record["hazards"] else "Hazards: none"]
    for name, hazard in record["hazards"].items():
        lines += _wrapped(f"{name} [{hazard['low']:.3g} to {hazard['high']:.3g}, {hazard['unit']}]")
        lines += textwrap.wrap(hazard["definition"], 78, initial_indent="    ", subsequent_indent="    ")
        shown = ", ".join(f"{who} {value['value']:.3f}" for who, value in hazard["null"].items())
        lines += textwrap.wrap(shown, 78, initial_indent="    ", subsequent_indent="    ") if shown else []
    return "\n".join(lines)


def _summary(game: Game) -> dict[str, Any]:
    return {
        "name": game.name,
        "players": game.num_players,
        "unit": game.unit,
        "zero_sum": game.zero_sum,
        "parameters": game.parameters,
    }


def _opponent(opponent: Opponent) -> dict[str, Any]:
    return {"name": opponent.name, "stochastic": opponent.stochastic, "source": opponent.source}


def _hazards(game: Game, profile: Profile) -> dict[str, Any]:
    """Every hazard and figure: what it means, and its value for the reference players."""
    from equipoise.lab.hazard_nulls import hazard_nulls

    nulls = hazard_nulls(game, profile, NULL_DEALS, 0)
    return {
        name: {
            "definition": hazard.definition,
            "unit": hazard.unit,
            "low": hazard.low,
            "high": hazard.high,
            "null": {who: estimate.to_json() for who, estimate in nulls.get(name, {}).items()},
        }
        for name, hazard in profile.measures.items()
    }


def _sample_prompts(game: Game, profile: Profile) -> list[dict[str, Any]]:
    """One scripted episode in words."""
    from equipoise.arena import Match, rollout
    from equipoise.policies import ScriptedPolicy

    first = profile.pools.train[0] if profile.pools.train else UNIFORM
    match = Match((first.name,) * game.num_players, 0)
    (episode,) = rollout(game, {first.name: ScriptedPolicy(first)}, [match], seed=0)
    prompts = []
    for decision in episode.decisions:
        seen, _ = observations(game, decision.information_state, decision.seat, decision.legal, "full")
        prompts.append({"seat": decision.seat, "sees": seen[-1], "says": game.action_text(decision.action)})
    return prompts


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 78, initial_indent="  ", subsequent_indent="  ")
