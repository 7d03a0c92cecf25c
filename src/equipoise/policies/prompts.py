"""What a language model has read at an information state, with what several of them begin with as one object."""

from __future__ import annotations

from collections.abc import Sequence

from equipoise.core import Action, Game, InformationState
from equipoise.engines.engine import Context, Ids
from equipoise.games.examples import examples
from equipoise.games.text import Reasoning, render_observation, render_rules
from equipoise.policies.chat import ChatFormat

Question = tuple[int, InformationState, tuple[Action, ...]]
"""(seat, information state, legal actions) of a decision."""


def opening(game: Game, chat: ChatFormat, reasoning: Reasoning) -> Ids:
    """What every transcript of a game begins with: the rules, and the examples as turns that are over."""
    ids = chat.prefix(render_rules(game, reasoning))
    for question, reply in examples(game, chat.wording, reasoning):
        ids += chat.observation(question) + chat.reply(reply) + chat.after_reply
    return ids


def prompts(game: Game, chat: ChatFormat, rules: Ids, states: Sequence[Question]) -> list[Context]:
    """All up to the reply at each information state, own earlier replies in their plain words.

    Args:
        game: Whose words are read.
        chat: How they become tokens.
        rules: What every transcript begins with.
        states: Where the replies stand.
    """
    start = Context(rules)
    known: dict[tuple[int, InformationState], Context] = {}
    turns: dict[Question, Ids] = {}

    def context_of(seat: int, seen: InformationState, legal: tuple[Action, ...] | None) -> Context:
        found = known.get((seat, seen))
        if found is not None:
            return found
        if legal is None:
            legal = game.legal_at(seen, seat)
        cut = next((i for i in range(len(seen) - 1, -1, -1) if seen[i].kind == "act" and seen[i].player == seat), None)
        before = start if cut is None else context_of(seat, seen[:cut], None)
        news = seen if cut is None else seen[cut:]
        turn = turns.get((seat, news, legal))
        if turn is None:
            closed = () if cut is None else chat.reply(game.action_text(news[0].value)) + chat.after_reply
            shown = news if cut is None else news[1:]
            text = render_observation(game, shown, seat, legal, chat.wording)
            turn = turns[seat, news, legal] = closed + chat.observation(text)
        context = known[seat, seen] = before.then(turn)
        return context

    return [context_of(*state) for state in states]
