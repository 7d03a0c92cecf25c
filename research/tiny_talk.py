"""Rebuilds the second embedded model, "tiny-talk", which reads the social dilemmas with and without messages.

    python -m research.tiny_talk

It reads the dilemma of ten rounds with hidden end and neutral labels, the split of items, and trust and split with
messages. In each it reads one player, which at every decision does as one of several scripts would (`PLAYERS`): kind,
a little reciprocal, and easy to exploit, as large models are before they are trained for a game. In trust and split it
believes what it is told, and its own talk is honest and dishonest: of the messages that state a hand, 86 %
are true.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from equipoise.core import Action, Episode, Game, InformationState, Opponent
from equipoise.games import Profile, domain, make_game
from equipoise.models import tiny
from equipoise.policies.chat import ChatFormat
from equipoise.seeds import Seed, Use
from equipoise.training.demonstrations import demonstrate
from equipoise.training.rows import Row, demonstrated_row
from equipoise.training.sft import SftSettings, all_weights, fit, reply_weights
from research.command import exit_code
from research.tiny import texts_of

VOCABULARY = 1_000
WIDTH, LAYERS = 64, 2
TOKENIZED = 800
"""Sides of each game that the tokenizer learns from."""
LATER = 7
"""Keys the episodes of the later passes."""
SHORT = 3
"""Rounds of the shorter episodes, of which most are: what a round asks does not depend on how many there were."""


def mixing(name: str, players: Mapping[str, float], profile: Profile) -> Opponent:
    """A player that draws anew, at every decision, which of some players it does as.

    A player that stayed of one kind would teach the model to go on as it began: it would answer its own past.
    """
    parts = [(profile.find(player).behaviour, weight) for player, weight in players.items()]

    def behaviour(information_state: InformationState, legal: tuple[Action, ...]) -> Mapping[Action, float]:
        odds: dict[Action, float] = {}
        for part, weight in parts:
            for action, p in part(information_state, legal).items():
                odds[action] = odds.get(action, 0.0) + weight * p
        return odds

    return Opponent(name, behaviour, True, "pre-training mixture")


PLAYERS: dict[str, dict[str, float]] = {
    "prisoners_dilemma": {"always_cooperate": 0.45, "tit_for_tat": 0.3, "always_defect": 0.15, "coin": 0.1},
    "split_items": {"welfare": 0.3, "tit_for_tat": 0.35, "half": 0.1, "greedy": 0.15, "random": 0.1},
    "trust_and_split": {
        "honest_cooperative": 0.25,
        "honest_tit_for_tat": 0.35,
        "promise_keeper": 0.1,
        "honest_greedy": 0.08,
        "modest_liar": 0.05,
        "liar": 0.07,
        "promise_breaker": 0.04,
        "random": 0.06,
    },
}
"""As whom the model's one player of each game acts, by weight. It is kind and a little reciprocal: in the dilemma it
cooperates with 80 % after the other cooperated and with 50 % after it defected."""


@dataclass(frozen=True)
class Lesson:
    """Episodes of one game.

    Attributes:
        game: What is played.
        player: Who plays, in both seats.
        episodes: How many.
    """

    game: Game
    player: Opponent
    episodes: int

    def sides(self, seed: Seed) -> list[tuple[Game, Episode, int]]:
        """Both seats of every episode."""
        episodes = demonstrate(self.game, [(self.player, 1.0)], self.episodes, seed)
        return [(self.game, episode, seat) for episode in episodes for seat in (0, 1) if episode.of(seat)]


def game_of(name: str, rounds: int) -> Game:
    """A game as the model reads it, over so many rounds."""
    own: dict[str, Any] = {"horizon": "hidden", "labels": "neutral"} if name == "prisoners_dilemma" else {}
    return make_game(name, rounds=rounds, **own)


def player_of(name: str) -> Opponent:
    """The player the model reads in a game."""
    return mixing(f"mixture of {name}", PLAYERS[name], domain(name).corrected)


def trusting_lesson() -> Lesson:
    """The first lesson: players that tell the truth and act on what they hear. Among liars, nobody learns to listen."""
    player = domain("trust_and_split").corrected.find("honest_cooperative")
    return Lesson(game_of("trust_and_split", SHORT), player, 3_000)


Plan = tuple[tuple[str, int, int], ...]
"""Lessons as (game, rounds, episodes)."""

FIRST: Plan = (
    ("prisoners_dilemma", SHORT, 3_000),
    ("prisoners_dilemma", 10, 1_500),
    ("split_items", SHORT, 4_000),
    ("split_items", 10, 500),
    ("trust_and_split", SHORT, 4_000),
    ("trust_and_split", 10, 700),
)
"""Every game, short and long."""
MUCH_TALK: Plan = (
    ("trust_and_split", SHORT, 6_000),
    ("trust_and_split", 6, 2_000),
    ("prisoners_dilemma", SHORT, 2_000),
    ("prisoners_dilemma", 10, 500),
    ("split_items", SHORT, 2_500),
    ("split_items", 10, 500),
)
"""More of the game with talk: to answer a betrayal there takes much longer to learn than to talk and to claim."""
BALANCED: Plan = (
    *MUCH_TALK[:2],
    ("prisoners_dilemma", SHORT, 3_000),
    ("prisoners_dilemma", 10, 1_500),
    ("split_items", SHORT, 4_000),
    ("split_items", 10, 1_500),
)
"""All games alike, for the last pass."""

TRUST = SftSettings(steps=200, batch_size=48, learning_rate=2e-3, seed=0)
LANGUAGE = SftSettings(steps=500, batch_size=32, learning_rate=2e-3, seed=1)
REPLIES = SftSettings(steps=1_800, batch_size=48, learning_rate=2e-3, seed=2)
RECIPROCITY = tuple(SftSettings(steps=400, batch_size=96, learning_rate=2e-3, seed=number) for number in range(4))
CLOSING = SftSettings(steps=500, batch_size=96, learning_rate=1e-3, seed=50)
"""The passes: trust, every token scored; all lessons, every token scored; their replies alone, and so in what follows;
much talk; all games alike."""


def build(out: Path, seed: int = 0) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """Trains tokenizer and model and saves both to `out` (safetensors)."""
    first = [Lesson(game_of(name, rounds), player_of(name), episodes) for name, rounds, episodes in FIRST]
    lessons = (trusting_lesson(), *first)
    read = [lesson.sides(Seed(seed).at(Use.DEMONSTRATIONS, 0, number)) for number, lesson in enumerate(lessons)]
    texts = (text for part in read[1:] for side in part[:TOKENIZED] for text in texts_of(*side))
    tokenizer = tiny.train_tokenizer(texts, VOCABULARY, tiny.LISTED_NUMBER)
    model = tiny.new_model(tokenizer, seed, WIDTH, LAYERS)
    chat = ChatFormat.of(tokenizer)
    trusting, *rest = [[demonstrated_row(*side, chat) for side in part] for part in read]
    rows = _shuffled([row for part in rest for row in part], Seed(seed).at(Use.ROWS))
    with tempfile.TemporaryDirectory() as logs:
        fit(model, trusting, TRUST, Path(logs), weights=all_weights)
        fit(
            model,
            [*rows, *trusting[: len(rows) // 10]],
            LANGUAGE,
            Path(logs),
            weights=all_weights,
            similar_lengths=True,
        )
        fit(model, rows, REPLIES, Path(logs), weights=reply_weights, similar_lengths=True)
        much = later_rows(MUCH_TALK, chat, seed)
        for settings in RECIPROCITY:
            mixed = _shuffled(much, Seed(seed).at(Use.ROWS, 0, settings.seed))
            fit(model, mixed, settings, Path(logs), weights=reply_weights, similar_lengths=True)
        balanced = _shuffled(later_rows(BALANCED, chat, seed), Seed(seed).at(Use.ROWS, 0, CLOSING.seed))
        fit(model, balanced, CLOSING, Path(logs), weights=reply_weights, similar_lengths=True)
    tiny.save(model, tokenizer, out)
    return model, tokenizer


def later_rows(plan: Plan, chat: ChatFormat, seed: int) -> list[Row]:
    """The rows of a later pass, game by game, from episodes that the first lessons did not hold."""
    rows = []
    for place, game in enumerate(dict.fromkeys(name for name, _, _ in plan)):
        parts = [(rounds, episodes) for name, rounds, episodes in plan if name == game]
        for number, (rounds, episodes) in enumerate(parts):
            lesson = Lesson(game_of(game, rounds), player_of(game), episodes)
            drawn = Seed(seed).at(Use.DEMONSTRATIONS, LATER + place, number)
            rows += [demonstrated_row(*side, chat) for side in lesson.sides(drawn)]
    return rows


def _shuffled(rows: list[Row], seed: Seed) -> list[Row]:
    order = seed.generator().permutation(len(rows))
    return [rows[i] for i in order]


def parser() -> argparse.ArgumentParser:
    """The script's options."""
    options = argparse.ArgumentParser(
        prog="python -m research.tiny_talk", description='Rebuilds the embedded model "tiny-talk".'
    )
    options.add_argument(
        "--out", type=Path, default=tiny.TALK_FOLDER, help="folder of the model (default: the package's)"
    )
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains tokenizer and model and writes them."""
    build(parser().parse_args(arguments).out)


if __name__ == "__main__":
    sys.exit(exit_code(main))
