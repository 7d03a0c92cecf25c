"""The words of a policy at information states, each scored once a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from equipoise.core import Action, Game, InformationState
from equipoise.engines.engine import Context, Ids
from equipoise.errors import UserError
from equipoise.games.free_text import AnyText
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.policies.prompts import Question, prompts
from equipoise.training.kept_pass import KeptPass

_Key = tuple[int, InformationState]
Keep = Callable[[Sequence[tuple[Ids, Ids]]], KeptPass | None]
"""Of (prompt, reply) token ids, the pass that scored them and can be trained from; None where there is none."""


@dataclass(frozen=True, eq=False)
class Asked:
    """What a policy reads at an information state, and what it may answer.

    Attributes:
        prompt: All up to the reply.
        replies: The words of each legal action, with what ends a reply.
    """

    prompt: Context
    replies: tuple[Ids, ...]


class StatePrompts:
    """A game in a policy's tokens; every state is read once in a run."""

    def __init__(self, game: Game) -> None:
        """Args: game: Without talk."""
        self.game = game
        self._asked: dict[_Key, Asked] = {}

    def read(self, policy: LanguageModelPolicy, states: Sequence[Question]) -> list[Asked]:
        """Prompts and replies at some states; always those of the same tokenizer and sampling.

        Raises:
            UserError: For words that are longer than a reply may be.
        """
        new = [state for state in states if state[:2] not in self._asked]
        if new:
            words = self._words(policy)
            for (seat, seen, legal), prompt in zip(
                new, prompts(self.game, policy.chat, policy.rules(self.game), new), strict=True
            ):
                self._asked[seat, seen] = Asked(prompt, tuple(words[action] for action in legal))
        return [self._asked[state[:2]] for state in states]

    def _words(self, policy: LanguageModelPolicy) -> dict[Action, Ids]:
        named = [action for action in self.game.actions if not isinstance(action, AnyText)]
        words = {action: policy.chat.reply(self.game.action_text(action)) for action in named}
        longest, most = max(words.values(), key=len), policy.sampling.max_new_tokens
        if len(longest) > most:
            raise UserError(
                f"got sampling.max_new_tokens = {most}; an action of {self.game.name} has {len(longest)} tokens, so it "
                f"could never be said: allowed from {len(longest)}"
            )
        return words


class ScoredWords:
    """A policy's words as it is now: whatever is asked twice is scored once.

    Attributes:
        kept: The pass that scored what was asked first, where there is one to train from.
    """

    def __init__(self, policy: LanguageModelPolicy, states: StatePrompts, keep: Keep) -> None:
        """Begins without any score.

        Args:
            policy: Whose words.
            states: What it reads and may answer.
            keep: Scores rows by a pass that is kept, where it can.

        Raises:
            UserError: For a policy whose words have no probability: it reasons, or its engine scores nothing.
        """
        if policy.sampling.reasoning != "none":
            raise UserError(
                f"got sampling.reasoning = {policy.sampling.reasoning!r}; exact gradients need replies that are the "
                "action alone: 'none', else rl.gradient = 'sampled'"
            )
        if not policy.engine.can.scores:
            raise UserError(
                f"the engine {policy.engine.name!r} tells no probabilities of replies that it did not draw; exact "
                "gradients need --engine local, else rl.gradient = 'sampled'"
            )
        self._policy, self._prompts, self._keep = policy, states, keep
        self._scores: dict[_Key, list[np.ndarray]] = {}
        self.kept: KeptPass | None = None

    def tokens(self, states: Sequence[Question]) -> list[list[np.ndarray]]:
        """At each state, for each legal action, the log-probability of every token of its words."""
        new = list(dict.fromkeys(state for state in states if state[:2] not in self._scores))
        if new:
            self._score(new)
        return [self._scores[state[:2]] for state in states]

    def log_probs(self, states: Sequence[Question]) -> list[list[float]]:
        """At each state the log-probability of each legal action's words."""
        return [[float(np.sum(tokens)) for tokens in state] for state in self.tokens(states)]

    def action_probabilities(
        self, game: Game, states: Sequence[tuple[int, InformationState, tuple[Action, ...]]]
    ) -> list[dict[Action, float]]:
        """The probability of each legal action's words, as of the policy itself."""
        found = self.log_probs(states)
        return [
            dict(zip(legal, np.exp(scores).tolist(), strict=True))
            for (_, _, legal), scores in zip(states, found, strict=True)
        ]

    def _score(self, states: Sequence[Question]) -> None:
        asked = self._prompts.read(self._policy, states)
        if not self._scores:
            self.kept = self._keep([(one.prompt.ids, reply) for one in asked for reply in one.replies])
            if self.kept is not None:
                for (seat, seen, _), one in zip(states, asked, strict=True):
                    self._scores[seat, seen] = [self.kept.log_probs(one.prompt.ids + reply) for reply in one.replies]
                return
        # an engine scores whole replies; those that a reply begins with tell its tokens apart, and cost no pass
        begun = [
            list(dict.fromkeys(reply[:end] for reply in one.replies for end in range(1, len(reply) + 1)))
            for one in asked
        ]
        temperature, adapter = self._policy.sampling.temperature, self._policy.adapter
        found = self._policy.engine.score([one.prompt for one in asked], begun, temperature, adapter=adapter)
        for (seat, seen, _), one, beginnings, scores in zip(states, asked, begun, found, strict=True):
            known = dict(zip(beginnings, scores, strict=True))
            self._scores[seat, seen] = [
                np.diff([0.0, *(known[reply[:end]] for end in range(1, len(reply) + 1))]) for reply in one.replies
            ]
