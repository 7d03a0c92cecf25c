"""What two agents reach together with messages and without: the same hands in both games, match by match.

With talk, chance draws who speaks first before it deals; without, it deals at once, and equal draws would be unequal
hands. So here nobody draws the first speaker: it is seat 0 on even deals and seat 1 on odd ones, and chance draws the
same in both games.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from equipoise.arena import Match, rollout
from equipoise.core import CHANCE, Episode, Estimate, FaultRule, Game
from equipoise.errors import UserError
from equipoise.games import domain, make_game
from equipoise.metrics.cooperation import efficiency, share_of
from equipoise.metrics.faults import first_fault
from equipoise.metrics.payoff import deals
from equipoise.metrics.talk import efficiency_difference
from equipoise.policies.policy import Policy
from equipoise.seeds import Seed, Use

GAME = "trust_and_split"
MATCHES = 256


@dataclass(frozen=True)
class TalkEfficiency:
    """Two agents in the game with talk and in the game without.

    Attributes:
        with_talk: Efficiency with messages.
        without_talk: Efficiency without.
        difference: With minus without, paired on common deals.
        faults: Share of both players' decisions whose first reply was a fault, with talk and without.
    """

    with_talk: Estimate
    without_talk: Estimate
    difference: Estimate
    faults: tuple[Estimate, Estimate]


def efficiency_with_and_without_talk(
    first: Policy,
    second: Policy,
    parameters: Mapping[str, Any] | None = None,
    matches: int = MATCHES,
    seed: int = 0,
    fault_rule: FaultRule = "forfeit",
    progress: Callable[[int], object] | None = None,
) -> TalkEfficiency:
    """The efficiency that two agents reach in trust and split with and without messages, on the same hands.

    Every deal is played in both seatings, once in self-play. Estimand: the difference of the two efficiencies of these
    agents as they are. A language model that was trained on the game with talk alone reads rules without talk for the
    first time here: its difference holds what it makes of new rules, and faults there, beside what talk is worth to it.
    Scripts without messages claim as if nothing had been stated.

    Args:
        first: An agent.
        second: The agent it meets; the same object for self-play.
        parameters: The game's parameters beside `talk`.
        matches: Matches of each seating, each on its own deal.
        seed: Keys the deals and all play.
        fault_rule: What a fault plays.
        progress: Told how many episodes more are finished.

    Raises:
        ValueError: For two agents of one name, `talk` among the parameters, or fewer than two matches.
    """
    given = dict(parameters or {})
    if first is not second and first.name == second.name:
        raise UserError(f"two agents are named {first.name!r}; give one another name")
    if "talk" in given:
        raise UserError("got the parameter 'talk'; both games are played, so leave it out")
    if matches < 2:
        raise UserError(f"got {matches} matches; an interval needs at least 2")
    cooperation = domain(GAME).cooperation
    assert cooperation is not None
    agents, own = {first.name: first, second.name: second}, Seed(seed).at(Use.CROSSPLAY)
    talked, silent = (
        rollout(
            game,
            agents,
            _matches(game, list(agents), matches),
            seed=own,
            fault_rule=fault_rule,
            progress=progress,
        )
        for game in (make_game(GAME, **given, talk=talk) for talk in (True, False))
    )
    return TalkEfficiency(
        efficiency(talked, cooperation),
        efficiency(silent, cooperation),
        efficiency_difference(talked, silent, cooperation),
        (_faults(talked), _faults(silent)),
    )


def _matches(game: Game, names: Sequence[str], matches: int) -> list[Match]:
    """Every deal in both seatings, or once in self-play, with the first speaker by the deal's number."""
    root = game.initial_state()
    talks = game.parameters["talk"]
    starts = [root.child({CHANCE: speaker}) if talks else root for speaker in (0, 1)]
    seatings = [(names[0], names[0])] if len(names) == 1 else [(names[0], names[1]), (names[1], names[0])]
    return [Match(seats, deal, starts[deal % 2]) for seats in seatings for deal in range(matches)]


def _faults(episodes: Sequence[Episode]) -> Estimate:
    faulty = [sum(first_fault(decision) is not None for decision in episode.decisions) for episode in episodes]
    found = share_of(faulty, [len(episode.decisions) for episode in episodes], deals(episodes))
    assert found is not None, "every episode has decisions"
    return found
