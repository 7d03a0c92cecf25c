"""States of trust and split, written down in a few words."""

from itertools import permutations

from equipoise.core import CHANCE, Opponent
from equipoise.games import domain
from equipoise.games.text import observations
from equipoise.games.trust_and_split import TrustAndSplit, opponents
from equipoise.games.trust_and_split.deal import HANDS

DOMAIN = domain("trust_and_split")
PROFILE = DOMAIN.corrected
SCRIPTS = {o.name: o for o in vars(opponents).values() if isinstance(o, Opponent)}
PAIRS = list(permutations(HANDS, 2))
CLAIMS = tuple(range(11))


def upper(own, other):
    """Whether a hand beats another: the three cases, written out."""
    return (own, other) in {("rock", "scissors"), ("scissors", "paper"), ("paper", "rock")}


def after(*rounds, first=0, **parameters):
    """The state after rounds such as (("rock", "paper"), "Hi.", "Hello.", (10, 0)): hands, messages in turn, claims.

    A message or a claim "f0" or "f1" is a forfeit by that seat, and the last thing of its round.
    """
    game = TrustAndSplit(**parameters)
    state = game.initial_state()
    if game.talk:
        state = state.child({CHANCE: first})
    for hands, *steps in rounds:
        state = state.child({CHANCE: hands})
        for step in steps:
            if step in ("f0", "f1"):
                state = state.forfeit(int(step[1]))
            elif isinstance(step, tuple):
                state = state.child(dict(enumerate(step)))
            else:
                state = state.child({state.players_to_move[0]: step})
    return state


def reads(state, seat, game=None):
    """The newest observation of a seat that moves, in words."""
    return observations(
        game or TrustAndSplit(), state.information_state(seat), seat, state.legal_actions(seat), "terse"
    )[0][-1]


CLAIMING = after((("rock", "paper"), "Hi.", "Hi.")).legal_actions(0)
SPEAKING = after((("rock", "paper"),)).legal_actions(0)
