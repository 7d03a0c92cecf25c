"""Questions of a game with replies to them, that show a model what a reply is.

A model that never saw these games answers a question with a sentence about it. What it follows is what it reads: after
a few questions that were answered with nothing but the words of an action it does the same. The examples are of the
game's own actions and tell nothing of how to play: they show no events, and every action of a short list is named once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import lru_cache

from equipoise.core import CHANCE, Action, Game, State
from equipoise.games.free_text import SILENCE, AnyText, text_limit
from equipoise.games.text import Reasoning, Wording, render_question, render_rules

LEAD = "For example:\n"
MESSAGE = "Hello."
"""What an example says where any text is open: polite, and about nothing."""

_FEW = 4
_MOST = 3
_LOOKED_AT = 200


def examples(game: Game, wording: Wording, reasoning: Reasoning = "none") -> tuple[tuple[str, str], ...]:
    """Questions and replies that stand between the rules and the first observation; none in the terse wording.

    None either where a reason is asked for: replies without one would teach to leave it out.
    """
    return _examples(game) if wording == "full" and reasoning == "none" else ()


def render_opening(game: Game, wording: Wording, reasoning: Reasoning = "none") -> str:
    """The rules and a line for each example, as a page shows them; a model reads each example as two turns."""
    shown = [
        " ".join([*question.split("\n"), f"Reply: {reply}"]) for question, reply in examples(game, wording, reasoning)
    ]
    return "\n".join([render_rules(game, reasoning), *shown])


@lru_cache(maxsize=256)
def _examples(game: Game) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for legal in _questions(game):
        question = LEAD + render_question(game, legal, "full")
        found += [(question, reply) for reply in _replies(game, legal)]
    return tuple(found)


def _replies(game: Game, legal: tuple[Action, ...]) -> list[str]:
    """Every action of a short list; of a long one three, evenly apart; a message where one is open."""
    words = [game.action_text(action) for action in legal if not isinstance(action, AnyText)]
    if len(words) > _FEW:
        words = [words[len(words) * part // 4] for part in (1, 2, 3)]
    return [*words, *([MESSAGE] if text_limit(legal) else [])]


def _questions(game: Game) -> list[tuple[Action, ...]]:
    """Lists of legal actions, each with one that is in no earlier list; at most three."""
    asked: list[tuple[Action, ...]] = []
    known: set[Action] = set()
    for state in _states(game):
        for seat in state.players_to_move:
            legal = state.legal_actions(seat) if seat != CHANCE else ()
            if len(legal) > 1 or text_limit(legal):
                new = set(legal) - known
                known |= new
                asked += [legal] if new else []
        if len(asked) >= _MOST or known >= set(game.actions):
            break
    return asked[:_MOST]


def _states(game: Game) -> Iterator[State]:
    """States from the first on, nearest first: the first outcome of chance, and players who choose alike."""
    waiting = deque([game.initial_state()])
    for _ in range(_LOOKED_AT):
        if not waiting:
            return
        state = waiting.popleft()
        yield state
        if state.is_chance:
            waiting.append(state.child({CHANCE: state.chance_outcomes()[0][0]}))
            continue
        legal = {seat: state.legal_actions(seat) for seat in state.players_to_move}
        for number in range(max(map(len, legal.values()), default=0)):
            chosen = {seat: open_now[min(number, len(open_now) - 1)] for seat, open_now in legal.items()}
            spoken = {seat: SILENCE if isinstance(action, AnyText) else action for seat, action in chosen.items()}
            waiting.append(state.child(spoken))
