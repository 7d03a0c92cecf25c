"""What the best reply to each scripted opponent earns: the yardstick of an audit's regret."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from equipoise.core import Episode, Game, InformationState, Opponent
from equipoise.games.first_rounds import FirstRounds
from equipoise.games.free_text import text_limit
from equipoise.lab.audit_play import AuditPlay, AuditSettings
from equipoise.metrics import ReplyValues, largest_exact_rounds, script_response

MOST_BY_DEAL = 200_000
"""The most moves the solution of one deal may try: a few seconds."""

Openings = dict[int, dict[int, InformationState]]
"""By deal and seat, what an agent had seen before anybody moved."""


@dataclass(frozen=True)
class BestReplies:
    """What the best replies to an audit's scripts earn.

    Attributes:
        game: What is played.
        values: By opponent, the exact value per episode of the best reply in each seat: of the game, or by deal.
        left_out: The opponents without one.
    """

    game: Game
    values: ReplyValues = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    def notes(self) -> list[str]:
        """What the regret covers, where it is not every opponent on every deal, and why."""
        notes = []
        by_deal = next((values for values in self.values.values() if isinstance(values, dict)), None)
        if by_deal is not None:
            first = f"{len(by_deal)} deal{'' if len(by_deal) == 1 else 's'}"
            notes.append(f"Regret is that of the first {first}: {self.game.name} has too many to solve them all.")
        if self.left_out and text_limit(self.game.actions):
            reason = "the best reply among all texts cannot be found"
            notes.append(f"No regret: players of {self.game.name} talk, and {reason}.")
        elif self.left_out:
            who = "any opponent" if not self.values else ", ".join(self.left_out)
            hint = "; --regret-deals N solves N of its deals" if not self.values and _too_many_deals(self.game) else ""
            reason = f"the exact best reply is too large to compute in {self.game.name}{hint}"
            notes.append(f"No regret against {who}: {reason}.")
        return notes


def best_replies(play: AuditPlay, settings: AuditSettings) -> BestReplies:
    """The best reply to each opponent of an audit, where exact figures are wanted of a game of two players.

    Where not even the first round of a game is small enough to enumerate, its deals are too many to average over: there
    the values are those of the first deals that were played, each given what the agent knew of it; `regret_deals` says
    of how many, and 0 leaves such games out.

    Left out are in games of several rounds the opponents that do not say what they remember, because without it no two
    histories can be treated alike, and those whose best reply is larger than the solver allows; in games with talk all
    opponents, because not every text can be tried.
    """
    game, others = play.game, play.opponents
    if not settings.exact or game.num_players != 2:
        return BestReplies(game)
    one_by_one = _too_many_deals(game)
    if text_limit(game.actions) or (one_by_one and settings.regret_deals == 0):
        return BestReplies(game, left_out=tuple(opponent.name for opponent in others))
    opened = _openings(play.pooled, play.agent, settings.regret_deals) if one_by_one else {}
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
    return BestReplies(game, values, tuple(left_out))


def _too_many_deals(game: Game) -> bool:
    return largest_exact_rounds(FirstRounds(game)) == 0


def _openings(episodes: Sequence[Episode], agent: str, deals: int) -> Openings:
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
