"""Scripted players of trust and split.

A script is a memory, what it says with that memory, and what it claims. Every memory starts with the player's own hand
and the hand that the other stated this round; a script believes what it is told unless the other states the player's
own hand, which nobody else can hold. Rounds that a player forfeited were not played and leave the rest of the memory as
it was. "Greedy with the lower hand" means a claim of more than half of the coins there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from equipoise.core import Action, InformationState, Opponent
from equipoise.games.free_text import text_limit
from equipoise.games.scripts import mixed
from equipoise.games.trust_and_split import messages as m
from equipoise.games.trust_and_split.deal import BEATEN_BY, BEATS, COINS, HANDS
from equipoise.games.trust_and_split.messages import Odds, evenly, stated_hand, stating
from equipoise.games.trust_and_split.rules import CLAIMS
from equipoise.games.trust_and_split.seen import Past, current, finished

ALIGNMENT = "cooperative or greedy play of the game of arXiv 2511.19405, with honest or false words of ours"
AXELROD = "R. Axelrod, The Evolution of Cooperation, 1984, for the rounds in which there is something to concede"
AXELROD_SURVEY = "R. Axelrod, Effective choice in the prisoner's dilemma, 1980, in kind"
NOWAK_GENEROUS = "M. Nowak, K. Sigmund, Tit for tat in heterogeneous populations, 1992, in kind"
OURS = "ours"

HALF = COINS // 2
FORGIVES = 0.25
"""The share of offences that the generous player lets pass."""

Knowledge = tuple[Any, ...]


@dataclass(frozen=True)
class Script:
    """A behaviour that depends on its memory alone.

    Attributes:
        memory: What it keeps of what it has seen.
        says: The odds of its messages, given the parts of that memory.
        claims: The odds of its claims, given the same.
    """

    memory: Callable[[InformationState], Knowledge]
    says: Callable[..., Odds]
    claims: Callable[..., Odds]

    def __call__(self, information_state: InformationState, legal: tuple[Action, ...]) -> Odds:
        """Probabilities of the legal actions, as `core.Behaviour`."""
        memory = self.memory(information_state)
        return self.says(*memory) if text_limit(legal) else self.claims(*memory)


def is_upper(hand: str, stated: str | None) -> bool | None:
    """Whether a player with this hand has the upper one, if the other's is as stated; None where it cannot know."""
    if stated is None or stated == hand:
        return None
    return BEATS[hand] == stated


def greedy_low(past: Past) -> bool:
    """Whether the other claimed more than half of the coins with the lower hand."""
    return not past.upper and past.other > HALF


def caught_lying(past: Past) -> bool:
    """Whether the other stated a hand that it did not have, as the end of the round showed."""
    stated = stated_hand(past.heard)
    return stated is not None and stated != (BEATEN_BY if past.upper else BEATS)[past.hand]


def hand_and_stated(information_state: InformationState) -> tuple[str, str | None]:
    """The own hand, and the hand that the other stated this round."""
    now = current(information_state)
    return now.hand, stated_hand(now.heard)


def remembering(past: Callable[[list[Past]], Any]) -> Callable[[InformationState], Knowledge]:
    """`hand_and_stated`, and something of the rounds played."""
    return lambda seen: (*hand_and_stated(seen), past(finished(seen)))


def newest_offence(rounds: list[Past]) -> bool:
    """Whether the other was greedy the last time it had the lower hand; false before it had it."""
    answers = [greedy_low(past) for past in rounds if not past.upper]
    return bool(answers) and answers[-1]


def newest_offence_or_first(rounds: list[Past]) -> bool:
    """As `newest_offence`, but true before the other had the lower hand."""
    return all(past.upper for past in rounds) or newest_offence(rounds)


def newest_two(rounds: list[Past]) -> tuple[bool, ...]:
    """Whether the other was greedy, the last two times it had the lower hand."""
    return tuple(greedy_low(past) for past in rounds if not past.upper)[-2:]


def any_offence(rounds: list[Past]) -> bool:
    """Whether the other was ever greedy with the lower hand."""
    return any(greedy_low(past) for past in rounds)


def any_lie(rounds: list[Past]) -> bool:
    """Whether the other was ever caught lying about its hand."""
    return any(caught_lying(past) for past in rounds)


def even_round(rounds: list[Past]) -> bool:
    """Whether an even number of rounds was played."""
    return len(rounds) % 2 == 0


def fair_claim(hand: str, stated: str | None) -> int:
    """All coins with the upper hand, none with the lower, half where the player cannot know."""
    upper = is_upper(hand, stated)
    return HALF if upper is None else COINS * upper


def cooperative(hand: str, stated: str | None, *memory: Any) -> Odds:
    """The odds of `fair_claim`."""
    return {fair_claim(hand, stated): 1.0}


def greedy(*memory: Any) -> Odds:
    """All coins, always."""
    return {COINS: 1.0}


def half(*memory: Any) -> Odds:
    """Half of the coins, always."""
    return {HALF: 1.0}


def unless(offended: Callable[[Any], bool], punishes: float = 1.0) -> Callable[..., Odds]:
    """`fair_claim`, or all coins with this probability where the past offends."""

    def claims(hand: str, stated: str | None, past: Any) -> Odds:
        claim = fair_claim(hand, stated)
        if not offended(past) or claim == COINS:
            return {claim: 1.0}
        return {COINS: punishes, claim: 1.0 - punishes} if punishes < 1.0 else {COINS: 1.0}

    return claims


def honestly(hand: str, *memory: Any) -> Odds:
    """A true statement of the own hand."""
    return stating(hand)


def falsely(hand: str, stated: str | None, *memory: Any) -> Odds:
    """A lie that makes the other concede: the hand that beats the other's.

    That is the hand which the own one beats. With the upper hand, known from what the other stated, the truth does the
    same; a player that speaks first does not know and lies.
    """
    return stating(hand if is_upper(hand, stated) else BEATS[hand])


def openly(hand: str, stated: str | None) -> Odds:
    """A true statement of the own hand and, where the fair claim is known, a promise to make it."""
    upper = is_upper(hand, stated)
    return stating(hand) if upper is None else stating(hand, f"I take {fair_claim(hand, stated)}.")


def smoothly(*memory: Any) -> Odds:
    """A promise to leave everything."""
    return evenly(m.GENEROUS_WORDS)


def idly(*memory: Any) -> Odds:
    """Words that state and promise nothing."""
    return evenly(m.SMALL_TALK)


def _plain(name: str, says: Callable[..., Odds], claims: Callable[..., Odds], source: str = ALIGNMENT) -> Opponent:
    return mixed(name, Script(hand_and_stated, says, claims), source)


def _honest(
    name: str, past: Callable[[list[Past]], Any], claims: Callable[..., Odds], source: str = AXELROD
) -> Opponent:
    return mixed(name, Script(remembering(past), honestly, claims), source)


RANDOM_WORDS: Odds = {words: p / len(HANDS) for hand in HANDS for words, p in stating(hand).items()}

HONEST_COOPERATIVE = _plain("honest_cooperative", honestly, cooperative)
HONEST_GREEDY = _plain("honest_greedy", honestly, greedy)
HONEST_HALF = _plain("honest_half", honestly, half)
LIAR = _plain("liar", falsely, greedy)
MODEST_LIAR = _plain("modest_liar", falsely, cooperative, OURS)
SILENT_GREEDY = _plain("silent_greedy", idly, greedy)
PROMISE_BREAKER = _plain("promise_breaker", smoothly, greedy, OURS)
PROMISE_KEEPER = _plain("promise_keeper", openly, cooperative, OURS)
RANDOM = _plain("random", lambda *memory: RANDOM_WORDS, lambda *memory: evenly(CLAIMS), "uniformly random")

TIT_FOR_TAT = _honest("honest_tit_for_tat", newest_offence, unless(bool))
GENEROUS = _honest("honest_generous", newest_offence, unless(bool, 1.0 - FORGIVES), NOWAK_GENEROUS)
SUSPICIOUS = _honest("honest_suspicious", newest_offence_or_first, unless(bool), "folklore")
TWO_TATS = _honest("honest_two_tats", newest_two, unless(lambda last: last == (True, True)), AXELROD_SURVEY)
GRIM = _honest("honest_grim", any_offence, unless(bool), AXELROD_SURVEY)
LIE_GRIM = _honest("lie_grim", any_lie, unless(bool), OURS)
ALTERNATOR = _honest("honest_alternator", even_round, unless(lambda even: not even), "folklore")
