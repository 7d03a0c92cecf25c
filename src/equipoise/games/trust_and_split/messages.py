"""What scripts say, and what they and the metrics read in a message: a hand, a promise.

The readers are small and strict, and meant to be: a message states a hand if it names exactly one of the three, as a
word of its own, whatever else it says. "I have rock" states rock, and so do "do you have rock?" and "not rock"; "rock
or paper" states none. Letters are ASCII, in either case.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from functools import lru_cache

from equipoise.core import Action
from equipoise.games.free_text import SILENCE
from equipoise.games.trust_and_split.deal import COINS, HANDS

Odds = Mapping[Action, float]

_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_HAND = re.compile(rf"(?<!\w)(?:{'|'.join(HANDS)})(?!\w)")
_AMOUNT = r"(10|[0-9]|nothing|none|half|all|everything)(?!\w)(?![.,][0-9])(?! ?\?)"
_OWN = re.compile(rf"(?<!\w)i(?: will|['\u2019]ll)? (?:take|claim|keep) {_AMOUNT}")
_OTHERS = re.compile(rf"(?<!\w)you(?: can| may)? (?:take|claim|keep|have) {_AMOUNT}")
_AMOUNTS = {"nothing": 0, "none": 0, "half": COINS // 2, "all": COINS, "everything": COINS}

HAND_WORDS = ("I have {hand}.", "My hand is {hand}.", "{Hand} here.", "I hold {hand}, and you?")
"""Ways to state a hand."""
SMALL_TALK = (SILENCE, "Hello.", "Good luck.", "Let us be fair.")
"""Ways to state nothing."""
GENEROUS_WORDS = ("You take all, I take 0.", "I claim 0.", "I will take nothing.")
"""Ways to promise to leave everything."""


@lru_cache(maxsize=65_536)
def stated_hand(message: str | None) -> str | None:
    """The hand that a message states: the only one it names; None where it names none or several."""
    named = set(_HAND.findall(message.translate(_LOWER))) if message else set()
    return named.pop() if len(named) == 1 else None


@lru_cache(maxsize=65_536)
def promised_claim(message: str | None) -> int | None:
    """The most coins that a message promises to claim; None where it promises nothing, or two different things.

    Read are "I take 3", "I will claim nothing", "I'll keep half" and "you take all", "you can have 7" (which leaves 3),
    as parts of any sentence that is no question. Who "promises" to claim all 10 promises nothing.
    """
    folded = message.translate(_LOWER) if message else ""
    own = {_amount(word) for word in _OWN.findall(folded)}
    left = {COINS - _amount(word) for word in _OTHERS.findall(folded)}
    named = own | left
    (promised,) = named if len(named) == 1 else (COINS,)
    return None if promised >= COINS else promised


def _amount(word: str) -> int:
    return _AMOUNTS[word] if word in _AMOUNTS else int(word)


def evenly(options: tuple[Action, ...]) -> Odds:
    """Odds that draw one of several different options."""
    return dict.fromkeys(options, 1 / len(options))


@lru_cache(maxsize=64)
def stating(hand: str, more: str = "") -> Odds:
    """Odds of the ways to state a hand, each followed by the same further words."""
    ending = f" {more}" if more else ""
    return evenly(tuple(f"{words.format(hand=hand, Hand=hand.capitalize())}{ending}" for words in HAND_WORDS))
