"""Rebuilds the embedded model "tiny" from generated transcripts of mixed-skill players.

    python -m research.tiny

Two in five players it reads move at random, the others are the scripts that training may meet; the held-out pool is
never among them. The model reads plain moves alone; reasons before them (`sampling.reasoning = "brief"`) are for
supervised training to teach.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from equipoise.core import Action, Episode, Game, InformationState, Opponent
from equipoise.games import SEPO_GAMES, domain, make_game
from equipoise.games.text import observations, render_rules
from equipoise.models import tiny
from equipoise.policies.chat import ChatFormat
from equipoise.seeds import Seed, Use
from equipoise.training.demonstrations import demonstrate
from equipoise.training.rows import demonstrated_row
from equipoise.training.sft import SftSettings, all_weights, fit, reply_weights
from research.command import exit_code

RANDOM_SHARE = 0.4
POKER_GAME = "kuhn_poker"
TOKENIZED = 800
"""Sides of each reading that the tokenizer learns from."""

POKER = SftSettings(steps=300, batch_size=64, learning_rate=2e-3, seed=0)
"""The first pass reads poker alone. A card is one token that changes a reply a little: met among all other games from
the start, the model never looks at it."""

LANGUAGE = SftSettings(steps=600, batch_size=32, learning_rate=2e-3, seed=1)
"""The second pass reads every game, every token scored: it teaches the words."""

REPLIES = SftSettings(steps=600, batch_size=48, learning_rate=2e-3, seed=2)
"""The third pass scores replies alone: what a reply depends on is a small part of a transcript's surprise."""


@dataclass(frozen=True)
class Reading:
    """One kind of transcript the base model reads.

    Attributes:
        game: Name of the game.
        parameters: Of its constructor.
        episodes: How many.
    """

    game: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    episodes: int = 1_500


READINGS: tuple[Reading, ...] = (
    Reading("kuhn_poker", episodes=8_000),
    Reading("kuhn_poker", {"hands": 6}, 3_000),
    *(Reading(name) for name in SEPO_GAMES if name not in ("kuhn_poker", "bargaining")),
    Reading("bargaining", episodes=8_000),
)


def uniform(information_state: InformationState, legal: tuple[Action, ...]) -> Mapping[Action, float]:
    """Every legal action equally likely."""
    return dict.fromkeys(legal, 1 / len(legal))


def mixed_skill(game: str) -> list[tuple[Opponent, float]]:
    """The players the base model reads: two fifths of the weight move at random, the rest is shared by scripts.

    The scripts are those of the train, exploiter and collusive pools.
    """
    pools = domain(game).corrected.pools
    scripts = [*pools.train, *pools.exploiter, *pools.collusive]
    chance = Opponent("uniform", uniform, True, "pre-training mixture")
    share = (1 - RANDOM_SHARE) / len(scripts)
    return [(chance, RANDOM_SHARE), *((script, share) for script in scripts)]


def sides(reading: Reading, number: int, seed: int) -> list[tuple[Game, Episode, int]]:
    """Both seats of every episode of a reading; a seat that never decided is left out."""
    game = make_game(reading.game, **reading.parameters)
    episodes = demonstrate(game, mixed_skill(reading.game), reading.episodes, Seed(seed).at(Use.DEMONSTRATIONS, number))
    return [(game, episode, seat) for episode in episodes for seat in range(game.num_players) if episode.of(seat)]


def texts_of(game: Game, episode: Episode, seat: int) -> list[str]:
    """What the tokenizer learns from: rules, observations and replies of one side of an episode."""
    decisions = episode.of(seat)
    seen, _ = observations(game, decisions[-1].information_state, seat, decisions[-1].legal, "terse")
    return [render_rules(game), *seen, *(game.action_text(d.action) for d in decisions)]


def build(out: Path, seed: int = 0) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """Trains tokenizer and model and saves both to `out` (safetensors)."""
    read = [sides(reading, number, seed) for number, reading in enumerate(READINGS)]
    tokenizer = tiny.train_tokenizer(text for part in read for side in part[:TOKENIZED] for text in texts_of(*side))
    model = tiny.new_model(tokenizer, seed)
    chat = ChatFormat.of(tokenizer)
    rows = [demonstrated_row(game, episode, seat, chat) for part in read for game, episode, seat in part]
    poker = rows[: sum(len(part) for part, reading in zip(read, READINGS, strict=True) if reading.game == POKER_GAME)]
    order = Seed(seed).at(Use.ROWS).generator().permutation(len(rows))
    with tempfile.TemporaryDirectory() as logs:
        fit(model, poker, POKER, Path(logs), weights=all_weights)
        for settings, weights in ((LANGUAGE, all_weights), (REPLIES, reply_weights)):
            fit(model, [rows[i] for i in order], settings, Path(logs), weights=weights, similar_lengths=True)
    tiny.save(model, tokenizer, out)
    return model, tokenizer


def parser() -> argparse.ArgumentParser:
    """The script's options."""
    options = argparse.ArgumentParser(prog="python -m research.tiny", description='Rebuilds the embedded model "tiny".')
    options.add_argument("--out", type=Path, default=tiny.FOLDER, help="folder of the model (default: the package's)")
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains tokenizer and model and writes them."""
    build(parser().parse_args(arguments).out)


if __name__ == "__main__":
    sys.exit(exit_code(main))
