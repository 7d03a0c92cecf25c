"""How often a model's replies name no action, by how it is asked: tersely, or in full with examples.

    python -m research.wordings smollm2 --game kuhn_poker --episodes 48 --seed 1

A game is played against its train pool in both seats, every episode on a deal of its own, so that there are as many
independent deals as episodes. A fault forfeits the round, as in audits. Both wordings play the same deals.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from equipoise.arena.matchups import Match
from equipoise.arena.rollout import rollout
from equipoise.cli.shared import add_sets, pairs
from equipoise.core import Estimate, Game
from equipoise.errors import UserError
from equipoise.files import write_atomically
from equipoise.games import domain_of, make_game
from equipoise.games.text import WORDINGS, Wording
from equipoise.metrics.faults import fault_kinds, fault_rate
from equipoise.models.load import load
from equipoise.policies.language_model import LanguageModelPolicy, Sampling, usual_reply_tokens
from equipoise.policies.scripted import ScriptedPolicy
from equipoise.seeds import Seed, Use
from research.command import exit_code

AGENT = "agent"


@dataclass(frozen=True)
class Asked:
    """What a model made of one wording in one game.

    Attributes:
        wording: How it was asked.
        faults: Faulty decisions per decision, over deals.
        kinds: Share of its decisions by the kind of fault.
        exact: Share of its decisions whose reply was an action's words to the letter: what exact figures count.
        decisions: How many it took.
        seconds: How long that took.
    """

    wording: Wording
    faults: Estimate
    kinds: dict[str, float]
    exact: float
    decisions: int
    seconds: float


def asked(policy: LanguageModelPolicy, game: Game, wording: Wording, episodes: int, seed: int) -> Asked:
    """Plays the game's train pool in both seats and counts faults.

    Args:
        policy: The model.
        game: A game of two players with a train pool.
        wording: How the model is asked.
        episodes: How many, each on a deal of its own.
        seed: Keys all play.

    Raises:
        UserError: For a game without such a pool, or less than one episode.
    """
    pool = domain_of(game).corrected.pools.train
    if game.num_players != 2 or not pool:
        raise UserError(f"{game.name} has no train pool for two players; the faults are counted against one")
    policy.chat = replace(policy.chat, wording=wording)
    started = time.perf_counter()
    matches = []
    for deal in range(episodes):
        seats = (AGENT, pool[deal // 2 % len(pool)].name)
        matches.append(Match(seats if deal % 2 == 0 else seats[::-1], deal))
    players = {AGENT: policy, **{opponent.name: ScriptedPolicy(opponent) for opponent in pool}}
    played = rollout(game, players, matches, seed=Seed(seed).at(Use.PLAY))
    own = [decision for episode in played for decision in episode.of(episode.policies.index(AGENT))]
    exact = [d.action is not None and d.reply.text == game.action_text(d.action) for d in own if d.fault is None]
    kinds = {str(kind): share for kind, share in fault_kinds(played, AGENT).items() if share}
    seconds = time.perf_counter() - started
    return Asked(wording, fault_rate(played, AGENT), kinds, sum(exact) / len(own), len(own), seconds)


def to_json(found: Asked) -> dict[str, Any]:
    """One wording's record."""
    return {**vars(found), "faults": found.faults.to_json()}


def line(found: Asked) -> str:
    """One wording's row: faults with their interval, their kinds, and what was said to the letter."""
    rate, kinds = found.faults, ", ".join(f"{kind} {share:.0%}" for kind, share in found.kinds.items())
    shown = f"{found.wording:6} faults {rate.value:.3f} [{rate.low:.3f}, {rate.high:.3f}] of {found.decisions}"
    return f"{shown}; to the letter {found.exact:.3f}; {kinds or 'no fault'}"


def parser() -> argparse.ArgumentParser:
    """The script's options."""
    options = argparse.ArgumentParser(
        prog="python -m research.wordings",
        description="How often a model's replies name no action, by how it is asked.",
    )
    options.add_argument("model", help="the model: smollm2, a model or run folder, or a hub id")
    options.add_argument("--game", default="kuhn_poker", help="a game with a train pool (default: kuhn_poker)")
    options.add_argument("--episodes", type=int, default=48, help="episodes of each wording (default: 48)")
    options.add_argument("--max-new-tokens", type=int, help="longest reply (default: what the game's words need)")
    options.add_argument("--seed", type=int, default=0, help="keys all play (default: 0)")
    options.add_argument("--out", type=Path, default=Path("runs/wordings"), help="folder for GAME.json")
    add_sets(options, "a parameter of the game")
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Plays both wordings, writes GAME.json after each and prints a line for each."""
    options = parser().parse_args(arguments)
    game = make_game(options.game, **pairs(options.set))
    sampling = Sampling(max_new_tokens=options.max_new_tokens or usual_reply_tokens(game))
    policy = LanguageModelPolicy(AGENT, *load(options.model), sampling)
    record = {"model": options.model, "game": game.name, "parameters": game.parameters, "seed": options.seed}
    found: list[Asked] = []
    for wording in WORDINGS:
        found.append(asked(policy, game, wording, options.episodes, options.seed))
        text = json.dumps({**record, "episodes": options.episodes, "wordings": [to_json(each) for each in found]})
        write_atomically(options.out / f"{game.name}.json", text + "\n")
        print(line(found[-1]), flush=True)


if __name__ == "__main__":
    sys.exit(exit_code(main))
