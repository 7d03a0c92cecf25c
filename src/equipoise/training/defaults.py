"""A recipe for a game that ships none, derived from what the game has."""

from __future__ import annotations

from typing import Any

from equipoise.core import Game
from equipoise.games import domain, make_game
from equipoise.games.first_rounds import FirstRounds
from equipoise.metrics.tree import GameTree, largest_exact_rounds
from equipoise.policies.language_model import usual_reply_tokens

SMALL = 200
"""Information states up to which a best response to the current policy is solved at every step."""


def default_table(name: str) -> dict[str, Any]:
    """The recipe as nested tables.

    Args:
        name: Of a game that is known by rules and words; opponents are used where there are any. More than two players
            learn by plain self-play.

    Raises:
        UserError: For an unknown game.
    """
    profile = domain(name).corrected
    game = make_game(name, **profile.parameters)
    table: dict[str, Any] = {"game": name, "sampling": {"max_new_tokens": usual_reply_tokens(game)}}
    largest = float(max(abs(game.max_reward), abs(game.min_reward))) or 1.0
    if game.num_players != 2:
        return {**table, "self_play": {"reward_divisor": largest}, "objective": {"rule": "naive"}}
    rounds = _solved_rounds(game) if game.zero_sum else None
    if rounds is not None:
        play = {"deals": 8, "rollouts": 8, "adversaries": ["best_response"], "rounds": rounds}
        return {**table, "play": play, "objective": {"rule": "own_pool"}}
    if profile.pools.train and profile.pools.exploiter:
        return {**table, "play": {"deals": 8, "rollouts": 8}, "objective": {"rule": "own_pool"}}
    rule = "naive" if game.zero_sum else "advantage_alignment"
    return {**table, "self_play": {"reward_divisor": largest, "trained": "both"}, "objective": {"rule": rule}}


def _solved_rounds(game: Game) -> int | None:
    """`play.rounds` of an exact best response: 0 for all, 1 where later rounds repeat the first, None for none."""
    covered = largest_exact_rounds(game)
    repeats = type(game).as_first_round is not Game.as_first_round
    for rounds, is_enough in ((0, covered == game.num_rounds), (1, covered >= 1 and repeats)):
        if is_enough and len(GameTree(FirstRounds(game, rounds or game.num_rounds)).information_sets) <= SMALL:
            return rounds
    return None
