"""How messages of trust and split are judged: against the hand, against the claim, and by what they change."""

from __future__ import annotations

import numpy as np

from equipoise.core import Episode, InformationState
from equipoise.errors import UserError
from equipoise.games.domain import Talk
from equipoise.games.free_text import SILENCE
from equipoise.games.trust_and_split.deal import BEATEN_BY, BEATS, COINS
from equipoise.games.trust_and_split.messages import promised_claim, stated_hand
from equipoise.games.trust_and_split.played import Played, played_rounds
from equipoise.games.trust_and_split.seen import current

STATEMENT = "I have {hand}."
"""How a replaced message states a hand."""


def honest(episode: Episode, seat: int) -> list[bool | None]:
    """Whether the hand that the player's message states is its own, [R]; None where it states none."""
    return [None if played is None else _true(played) for played in played_rounds(episode, seat)]


def kept(episode: Episode, seat: int) -> list[bool | None]:
    """Whether the player claimed at most what its message promised, [R].

    None where it promised nothing (`messages.promised_claim`) and where nothing was claimed.
    """
    return [None if played is None else _kept(played) for played in played_rounds(episode, seat)]


def greed(episode: Episode, seat: int) -> np.ndarray:
    """The share of the coins that the player in `seat` claimed, [R], in [0, 1]; NaN where nothing was claimed."""
    claims = [None if played is None else played.claim for played in played_rounds(episode, seat)]
    return np.array([np.nan if claim is None else claim / COINS for claim in claims])


def silence(information_state: InformationState) -> str:
    """A message that says nothing."""
    return SILENCE


def upper(information_state: InformationState) -> str:
    """A message that states the hand which beats the listener's."""
    return STATEMENT.format(hand=BEATEN_BY[_hand(information_state)])


def lower(information_state: InformationState) -> str:
    """A message that states the hand which the listener's beats."""
    return STATEMENT.format(hand=BEATS[_hand(information_state)])


def _hand(information_state: InformationState) -> str:
    hand = current(information_state).hand
    if not hand:
        raise UserError("got an information state between two rounds; a listener has been dealt a hand")
    return hand


def _true(played: Played) -> bool | None:
    stated = stated_hand(played.message)
    return None if stated is None else stated == played.hand


def _kept(played: Played) -> bool | None:
    promised = promised_claim(played.message)
    return None if promised is None or played.claim is None else played.claim <= promised


TALK = Talk(honest, kept, greed, {"silence": silence, "upper": upper, "lower": lower})
