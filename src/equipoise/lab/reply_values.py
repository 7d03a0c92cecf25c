"""What the best reply to each scripted opponent earns: the yardstick of an audit's regret."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from equipoise.core import Episode, Game, InformationState, Opponent
from equipoise.games.first_rounds import FirstRounds
from equipoise.games.free_text import text_limit
from equipoise.metrics import ReplyValues, largest_exact_rounds, script_response

MOST_BY_DEAL = 200_000
"""The most moves the solution of one deal may try: a few seconds."""

Openings = dict[int, dict[int, InformationState]]
"""By deal and seat, what an agent had seen before anybody moved."""


def reply_values(
    game: Game, others: Sequence[Opponent], episodes: Sequence[Episode], agent: str, deals: int
) -> tuple[ReplyValues, list[str]]:
    """The exact value per episode of the best reply to each opponent in each seat, and the opponents without one.

    Where not even the first round of a game is small enough to enumerate, its deals are too many to average over: there
    the values are those of the first deals that were played, each given what the agent knew of it.

    Left out are in games of several rounds the opponents that do not say what they remember, because without it no two
    histories can be treated alike, and those whose best reply is larger than the solver allows; in games with talk all
    opponents, because not every text can be tried.

    Args:
        game: The game.
        others: The opponents.
        episodes: What was played.
        agent: The name of the player whose regret it is.
        deals: How many deals are solved where they are solved one by one; 0 leaves such games out.
    """
    one_by_one = _too_many_deals(game)
    if text_limit(game.actions) or (one_by_one and deals == 0):
        return {}, [opponent.name for opponent in others]
    opened = openings(episodes, agent, deals) if one_by_one else {}
    values: dict[str, Sequence[float] | dict[int, Sequence[float]]] = {}
    left_out = []
    for opponent in others:
        if game.num_rounds > 1 and opponent.memory is None:
            left_out.append(opponent.name)
            continue
        try:
            values[opponent.name] = _by_deal(game, opponent, opened) if one_by_one else _over_all(game, opponent)
        except ValueError:  # larger than the solver allows
            left_out.append(opponent.name)
    return values, left_out


def _too_many_deals(game: Game) -> bool:
    return largest_exact_rounds(FirstRounds(game)) == 0


def openings(episodes: Sequence[Episode], agent: str, deals: int) -> Openings:
    """What the agent had seen before anybody moved, on the first `deals` deals that it played in both seats."""
    found: Openings = {}
    for episode in episodes:
        seat = episode.policies.index(agent)
        seats = found.setdefault(episode.deal, {})
        if seat not in seats:
            seen = episode.of(seat)[0].information_state
            moved = next((i for i, event in enumerate(seen) if event.kind in ("act", "forfeit")), len(seen))
            seats[seat] = seen[:moved]
    return dict([(deal, seats) for deal, seats in found.items() if len(seats) == 2][:deals])


def _over_all(game: Game, opponent: Opponent) -> tuple[float, float]:
    return script_response(game, opponent, 0).value, script_response(game, opponent, 1).value


def _by_deal(game: Game, opponent: Opponent, opened: Openings) -> dict[int, Sequence[float]]:
    return {deal: [_of_deal(game, opponent, seat, seats[seat]) for seat in (0, 1)] for deal, seats in opened.items()}


@lru_cache(maxsize=4_096)  # a run audits several agents on common deals
def _of_deal(game: Game, opponent: Opponent, seat: int, seen: InformationState) -> float:
    return script_response(game, opponent, seat, seen=seen, most=MOST_BY_DEAL).value


def reply_notes(game: Game, values: ReplyValues, left_out: Sequence[str]) -> list[str]:
    """What the regret covers, where it is not every opponent on every deal, and why."""
    notes = []
    by_deal = next((found for found in values.values() if isinstance(found, dict)), None)
    if by_deal is not None:
        first = f"{len(by_deal)} deal{'' if len(by_deal) == 1 else 's'}"
        notes.append(f"Regret is that of the first {first}: {game.name} has too many to solve them all.")
    if left_out and text_limit(game.actions):
        notes.append(f"No regret: players of {game.name} talk, and the best reply among all texts cannot be found.")
    elif left_out:
        who = "any opponent" if not values else ", ".join(left_out)
        hint = "; --regret-deals N solves N of its deals" if not values and _too_many_deals(game) else ""
        notes.append(f"No regret against {who}: the exact best reply is too large to compute in {game.name}{hint}.")
    return notes
