"""Demonstrations: scripted players' games, spoken in the words a language model uses.

Experts play experts, or whoever training may meet, and every expert's side of an episode becomes a row. Whole episodes
are kept aside for validation, so that no sentence of a validation row stands in a training row of the same episode.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from equipoise.arena import Match, rollout
from equipoise.core import Episode, Game, Opponent
from equipoise.errors import UserError
from equipoise.games import Profile
from equipoise.games.text import Reasoning
from equipoise.policies.chat import ChatFormat
from equipoise.policies.scripted import ScriptedPolicy
from equipoise.seeds import Seed, Use
from equipoise.training.rows import Row, demonstrated_row, silent
from equipoise.training.tables import check_known

Partners = Literal["experts", "pools"]
Weighted = Sequence[tuple[Opponent, float]]


@dataclass(frozen=True)
class Demonstrations:
    """What supervised training imitates.

    Attributes:
        experts: A mixture of the game's profile by name ("default", "paper"), or players with their weights; empty
            switches supervised training off.
        opponents: Whom the experts meet: "experts", or "pools" (experts and the train, exploiter and collusive pools).
        episodes: Episodes to learn from, in each game.
        validation: Episodes kept aside to measure the loss on, as a share of `episodes` and beside them.
    """

    experts: dict[str, float] | str = field(default_factory=dict, metadata={"also": str})
    opponents: Partners = "experts"
    episodes: int = 1_000
    validation: float = 0.1

    def __post_init__(self) -> None:
        if isinstance(self.experts, dict):
            for name, weight in self.experts.items():
                if not (isinstance(weight, (int, float)) and math.isfinite(weight) and weight > 0):
                    raise UserError(f"expert {name!r} has weight {weight}; weights must be above 0")
        if self.opponents not in get_args(Partners):
            raise UserError(f"unknown opponents {self.opponents!r} of demonstrations; known: experts, pools")
        if self.episodes < 1 or not 0 <= self.validation <= 1:
            raise UserError(
                f"got episodes={self.episodes}, validation={self.validation}; allowed: episodes of 1 or more, "
                "validation from 0 to 1"
            )

    def weighted_experts(self, profile: Profile) -> list[tuple[Opponent, float]]:
        """The experts with their weights.

        Raises:
            ValueError: For an unknown mixture or player, or one that is held out for audits.
        """
        mixture: Mapping[str, float]
        if isinstance(self.experts, str):
            check_known("mixture of experts", self.experts, profile.experts)
            mixture = profile.experts[self.experts]
        else:
            mixture = self.experts
        return [(trainable(profile, name), weight) for name, weight in mixture.items()]

    @property
    def kept_aside(self) -> int:
        """Episodes of the validation set."""
        return round(self.validation * self.episodes)


def trainable(profile: Profile, name: str) -> Opponent:
    """The player of this name.

    Raises:
        ValueError: For an unknown player, or one that is held out for audits.
    """
    player = profile.find(name)
    if name in {opponent.name for opponent in profile.pools.held_out}:
        raise UserError(f"opponent {name!r} is held out for audits; train on another")
    return player


def partners(profile: Profile, experts: Weighted) -> list[Opponent]:
    """Experts and all players of the train, exploiter and collusive pools, each once."""
    pools = profile.pools
    players = [*(player for player, _ in experts), *pools.train, *pools.exploiter, *pools.collusive]
    return list({player.name: player for player in players}.values())


def mixture_matches(
    weights: Mapping[str, float], episodes: int, rng: np.random.Generator, players: int = 2
) -> list[Match]:
    """Matches whose seats are drawn independently from a mixture of players, each on its own deal."""
    names = list(weights)
    shares = np.array([weights[name] for name in names], dtype=float)
    drawn = rng.choice(len(names), size=(episodes, players), p=shares / shares.sum())
    return [Match(tuple(names[who] for who in seats), deal) for deal, seats in enumerate(drawn)]


def demonstrate(game: Game, experts: Weighted, episodes: int, seed: Seed) -> list[Episode]:
    """Episodes of experts against experts, seats drawn by weight.

    Args:
        game: What is played.
        experts: Players with their weights.
        episodes: How many.
        seed: Keys the draw of seats and all play. More episodes begin with the fewer ones.
    """
    if episodes < 1:
        raise UserError(f"got {episodes} demonstration episodes; at least 1 is needed")
    policies = {opponent.name: ScriptedPolicy(opponent) for opponent, _ in experts}
    weights = {opponent.name: weight for opponent, weight in experts}
    matches = mixture_matches(weights, episodes, seed.at(Use.MATCHES).generator(), game.num_players)
    return rollout(game, policies, matches, seed=seed.at(Use.PLAY))


def demonstrate_against(
    game: Game, experts: Weighted, others: Sequence[Opponent], episodes: int, seed: Seed
) -> list[tuple[Episode, int]]:
    """Episodes of an expert, drawn by weight, against one of `others`, drawn evenly, and the expert's seat in each.

    Args:
        game: What is played.
        experts: Players with their weights.
        others: Whom they meet; an expert may be among them.
        episodes: How many.
        seed: Keys the draw of players and seats and all play.
    """
    if episodes < 1:
        raise UserError(f"got {episodes} demonstration episodes; at least 1 is needed")
    shares = np.array([weight for _, weight in experts], dtype=float)
    draws = seed.at(Use.MATCHES).generator().random((episodes, 3))
    matches, seats = [], []
    for deal, (who, whom, where) in enumerate(draws):
        expert = int(np.searchsorted(np.cumsum(shares / shares.sum())[:-1], who, side="right"))
        seat = int(where * game.num_players)
        names = [others[int(whom * len(others))].name] * game.num_players
        names[seat] = experts[expert][0].name
        matches.append(Match(tuple(names), deal))
        seats.append(seat)
    everyone = [*(player for player, _ in experts), *others]
    policies = {player.name: ScriptedPolicy(player) for player in everyone}
    return list(zip(rollout(game, policies, matches, seed=seed.at(Use.PLAY)), seats, strict=True))


def demonstration_rows(
    game: Game,
    sides: Sequence[tuple[Episode, int]],
    chat: ChatFormat,
    reasoning: Reasoning = "none",
    experts: Weighted = (),
) -> list[Row]:
    """The given side of every episode as a row; a seat that never decided gives none.

    Args:
        game: What was played.
        sides: Episodes, each with the seat whose side it is.
        chat: How the model's conversations are tokenised.
        reasoning: What stands before an action; "none" leaves the experts' reasons out.
        experts: Who gives the reasons; needed for any other `reasoning`.

    Raises:
        ValueError: For an expert that gives no reasons where reasons are shown.
    """
    reasons = {player.name: silent if reasoning == "none" else player.reason for player, _ in experts}
    rows = []
    for episode, seat in sides:
        if episode.of(seat):
            reason = silent if reasoning == "none" else reasons.get(episode.policies[seat])
            if reason is None:
                raise UserError(
                    f"expert {episode.policies[seat]!r} of {game.name} gives no reasons; use sampling.reasoning "
                    "'none', or experts that give them"
                )
            rows.append(demonstrated_row(game, episode, seat, chat, reasoning, reason))
    return rows


def both_sides(episodes: Sequence[Episode]) -> list[tuple[Episode, int]]:
    """Every seat of every episode."""
    return [(episode, seat) for episode in episodes for seat in range(len(episode.policies))]


def expert_rows(
    game: Game,
    profile: Profile,
    settings: Demonstrations,
    chat: ChatFormat,
    reasoning: Reasoning,
    seed: Seed,
) -> tuple[list[Row], list[Row]]:
    """Rows to learn from and rows to validate on, made from different episodes.

    Args:
        game: What is played.
        profile: Whose players are meant.
        settings: Who demonstrates, against whom, how often.
        chat: How the model's conversations are tokenised.
        reasoning: What stands before an action.
        seed: Keys everything.
    """
    experts = settings.weighted_experts(profile)
    wanted = settings.episodes + settings.kept_aside
    if settings.opponents == "experts":
        episodes = demonstrate(game, experts, wanted, seed)
        learned, validation = both_sides(episodes[: settings.episodes]), both_sides(episodes[settings.episodes :])
    else:
        sides = demonstrate_against(game, experts, partners(profile, experts), wanted, seed)
        learned, validation = sides[: settings.episodes], sides[settings.episodes :]
    rows = demonstration_rows(game, learned, chat, reasoning, experts)
    return rows, demonstration_rows(game, validation, chat, reasoning, experts)
