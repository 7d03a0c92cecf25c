"""What the best reply to each scripted opponent earns: the yardstick of an audit's regret."""

from __future__ import annotations

from collections.abc import Sequence

from equipoise.core import Game, Opponent
from equipoise.games.first_rounds import FirstRounds
from equipoise.metrics import ReplyValues, largest_exact_rounds, script_response


def reply_values(game: Game, others: Sequence[Opponent]) -> tuple[ReplyValues, list[str]]:
    """The exact value per episode of the best reply to each opponent in each seat, and the opponents without one.

    Left out are all opponents of a game whose first round is too large to enumerate, and in games of several rounds
    those that do not say what they remember: without it no two histories can be treated alike.
    """
    if largest_exact_rounds(FirstRounds(game)) == 0:
        return {}, [opponent.name for opponent in others]
    values: dict[str, tuple[float, float]] = {}
    left_out = []
    for opponent in others:
        if game.num_rounds > 1 and opponent.memory is None:
            left_out.append(opponent.name)
            continue
        try:
            values[opponent.name] = (
                script_response(game, opponent, 0).value,
                script_response(game, opponent, 1).value,
            )
        except ValueError:  # larger than the solver allows
            left_out.append(opponent.name)
    return values, left_out


def reply_notes(game: Game, values: ReplyValues, left_out: Sequence[str]) -> list[str]:
    """One sentence that says whose regret is missing, and why; nothing where none is."""
    if not left_out:
        return []
    who = "any opponent" if not values else ", ".join(left_out)
    return [f"No regret against {who}: the exact best reply is too large to compute in {game.name} as it is set here."]
