"""A causal language model as a player: words in, words out, exact tokens on the record.

Each seat of each episode is one chat transcript. At every tick the session puts equal transcripts together and asks an
engine for as many replies as they have members, and goes on from where the engine left each of them.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from equipoise.core import Action, Game, InformationState, Reply, Tokens
from equipoise.engines.engine import Context, Decoding, Engine, Ids, Sample
from equipoise.engines.local import LocalEngine
from equipoise.errors import ModelWarning, UserError
from equipoise.games.free_text import AnyText, text_limit
from equipoise.games.text import REASONING, Reasoning, Wording, render_observation
from equipoise.policies.chat import ChatFormat
from equipoise.policies.policy import Policy, Request, Session, sample
from equipoise.policies.prompts import Question, opening, prompts
from equipoise.seeds import Seed, keys

_WARNED: WeakSet[Any] = WeakSet()
"""Models that were played in a game with messages although words can imitate their turns: each is told of once."""

_SPELLED = "You hold 8 of 10: yes, no?"
"""A text whose tokens are looked up to see whether a tokenizer and a model fit together."""

COLDEST = 1e-4
"""The lowest temperature but 0: where probabilities differ from greedy ones no more, logits would leave their range."""

_FEW = 16
"""Legal actions up to which a reply's words are worth guessing."""


@dataclass(frozen=True)
class Sampling:
    """How replies are drawn; the same distribution is scored and trained on.

    Attributes:
        temperature: Divides the logits; part of the policy. 0 is greedy: always the likeliest token. No top-k, top-p or
            repetition penalty exists.
        max_new_tokens: Longest reply; a longer one is a `truncated` fault.
        reasoning: What may stand before the action: "none", "brief" (one sentence) or "free".
        thinking: Whether a chat template with the switch `enable_thinking` asks for thoughts before the reply.
    """

    temperature: float = 1.0
    max_new_tokens: int = 8
    reasoning: Reasoning = "none"
    thinking: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and (self.temperature == 0 or self.temperature >= COLDEST)):
            raise UserError(
                f"got temperature {self.temperature}; allowed: 0 (greedy) or a finite number of at least {COLDEST}"
            )
        if self.max_new_tokens < 1:
            raise UserError(f"got max_new_tokens {self.max_new_tokens}; allowed: 1 or more")
        if self.reasoning not in REASONING:
            raise UserError(f"unknown reasoning {self.reasoning!r}; known: {', '.join(REASONING)}")
        if self.thinking and self.reasoning == "none":
            raise UserError("got thinking with reasoning 'none'; a reply that thinks needs reasoning 'brief' or 'free'")

    @property
    def deterministic(self) -> bool:
        """Whether the same prompt always gets the same reply."""
        return self.temperature == 0


def usual_reply_tokens(game: Game) -> int:
    """Tokens of a reply that every word of the game fits in: few, or half as many as a message may have characters.

    A list of numbers takes as many as it has characters, and one that ends it: some models write each digit by itself.
    """
    words = (game.action_text(action) for action in game.actions if not isinstance(action, AnyText))
    numbers = (len(text) + 1 for text in words if any(character.isdigit() for character in text))
    return max(Sampling.max_new_tokens, text_limit(game.actions) // 2, *numbers)


class LanguageModelPolicy(Policy):
    """Any causal language model with a chat template, adapters included, wherever its tokens come from."""

    def __init__(
        self,
        name: str,
        engine: Engine | PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        sampling: Sampling | None = None,
        *,
        adapter: str = "",
    ) -> None:
        """Sets up a player.

        Args:
            name: Of the player.
            engine: Where its tokens come from; a loaded model (see `equipoise.models.load`) is served by `LocalEngine`.
            tokenizer: Whose chat template its transcripts follow.
            sampling: How it replies.
            adapter: Whose weights answer: a name that the engine was given, or "" for the model's own.

        Raises:
            UserError: For a tokenizer that has tokens which the model has not.
        """
        self.name, self.tokenizer, self.adapter = name, tokenizer, adapter
        self.engine: Engine = LocalEngine(engine) if isinstance(engine, torch.nn.Module) else engine
        self.sampling = sampling or Sampling()
        self.chat = ChatFormat.of(tokenizer, self.engine.stops, thinking=self.sampling.thinking)
        _require_tokens(self.chat, self.engine.vocabulary)

    @property
    def wording(self) -> Wording:
        return self.chat.wording

    def under(self, name: str, adapter: str) -> LanguageModelPolicy:
        """The same player under other weights of the engine, by another name."""
        other = copy.copy(self)
        other.name, other.adapter = name, adapter
        return other

    def session(self, game: Game, seed: Seed) -> Session:
        played = getattr(self.engine, "model", self.engine)
        if self.chat.imitable and text_limit(game.actions) and played not in _WARNED:
            _WARNED.add(played)
            warnings.warn(
                f"the chat template of {self.name} marks turns with plain words ({self.chat.imitable!r}), which the "
                "messages of other players can hold too: what they say may pass for a turn; where that matters, use a "
                "model whose turns are control tokens",
                ModelWarning,
                stacklevel=2,
            )
        return _LanguageModelSession(self, game, seed)

    @property
    def is_scored(self) -> bool:
        """Whether it can tell how likely an action is: its engine scores, and nothing comes before an action."""
        return self.engine.can.scores and self.sampling.reasoning == "none"

    def rules(self, game: Game) -> Ids:
        """The tokens every transcript of a game starts with."""
        return opening(game, self.chat, self.sampling.reasoning)

    def transcript(self, game: Game, information_state: InformationState, seat: int, legal: tuple[Action, ...]) -> Ids:
        """The tokens up to the reply at an information state, own earlier replies in their plain words."""
        (context,) = prompts(game, self.chat, self.rules(game), [(seat, information_state, legal)])
        return context.ids

    def action_probabilities(self, game: Game, states: Sequence[Question]) -> list[dict[Action, float]]:
        """Probability of each legal action's words, exactly as they would be sampled, at each (seat, state, legal).

        The probabilities of a state sum to at most 1; what is missing is the mass outside the legal words (other
        spellings and other tokenisations of the same words included), an upper bound on the fault probability.

        Raises:
            UserError: For a policy that reasons before it acts: its actions' probabilities are sums over reasons; for a
                state in which any text is legal; and for an engine that scores nothing.
        """
        if any(text_limit(legal) for _, _, legal in states):
            raise UserError(f"{game.name} lets players talk, and texts cannot be listed; sample instead")
        if self.sampling.reasoning != "none":
            raise UserError(
                f"got reasoning {self.sampling.reasoning!r}; exact action probabilities need replies that are the "
                "action alone (reasoning 'none'); sample instead"
            )
        named = (action for action in game.actions if not isinstance(action, AnyText))
        words = {action: self.chat.reply(game.action_text(action)) for action in named}
        asked = prompts(game, self.chat, self.rules(game), states)
        return self.score(asked, [[(a, words[a]) for a in legal] for _, _, legal in states])

    def score(
        self,
        prompts: Sequence[Context],
        replies: Sequence[Sequence[tuple[Action, Ids]]],
        temperature: float | None = None,
    ) -> list[dict[Action, float]]:
        """Probability of each listed reply after each prompt.

        Args:
            prompts: What is shown.
            replies: After each prompt, actions and their words.
            temperature: Another one than the policy's own.

        Raises:
            UserError: For an engine that scores nothing.
        """
        if not self.engine.can.scores:
            raise UserError(
                f"the engine {self.engine.name!r} tells no probabilities of replies that it did not draw; leave exact "
                "figures and constrained replies out, or use --engine local"
            )
        temperature = self.sampling.temperature if temperature is None else temperature
        words = [[ids for _, ids in options] for options in replies]
        found = self.engine.score(prompts, words, temperature, adapter=self.adapter)
        return [
            {action: math.exp(score) for (action, _), score in zip(options, scores, strict=True)}
            for options, scores in zip(replies, found, strict=True)
        ]


def _require_tokens(chat: ChatFormat, vocabulary: int) -> None:
    """Nothing where a model has all the tokens that its tokenizer writes."""
    token = max((*chat.prefix(_SPELLED), *chat.observation(_SPELLED), *chat.reply(_SPELLED), *chat.stops))
    if token >= vocabulary:
        raise UserError(f"the tokenizer writes token {token}, and the model has {vocabulary}; they do not fit together")


class _LanguageModelSession(Session):
    def __init__(self, policy: LanguageModelPolicy, game: Game, seed: Seed) -> None:
        self._policy, self._game, self._seed = policy, game, seed
        self._asked: Counter[tuple[int, int]] = Counter()
        sampling = policy.sampling
        self._decoding = Decoding(sampling.temperature, sampling.max_new_tokens, policy.chat.stops)
        self._prefix = policy.rules(game)
        self._root = Context(self._prefix)
        self._contexts: dict[tuple[int, int], Context] = {}
        self._before: dict[tuple[int, int], Context | None] = {}
        self._chunks: dict[tuple[Any, ...], Ids] = {}
        self._named: dict[tuple[Action, ...], tuple[Ids, ...]] = {}

    def replies(self, requests: Sequence[Request]) -> list[Reply]:
        turns: dict[tuple[Context, Ids], list[int]] = {}
        own = self._keys(requests)
        for i, request in enumerate(requests):
            who = (request.episode, request.seat)
            context = self._contexts.get(who, self._root)
            self._before[who] = self._contexts.get(who)
            turns.setdefault((context, self._chunk(request, context)), []).append(i)
        drawn = self._policy.engine.sample(
            [context.then(chunk) for context, chunk in turns],
            [own[members] for members in turns.values()],
            self._decoding,
            adapter=self._policy.adapter,
            likely=[self._likely(requests[members[0]]) for members in turns.values()],
        )
        replies: list[Reply | None] = [None] * len(requests)
        for (context, chunk), members, samples in zip(turns, turns.values(), drawn, strict=True):
            shown = (self._prefix if context is self._root else ()) + chunk
            said: dict[Ids, tuple[Reply, Context]] = {}
            for member, one in zip(members, samples, strict=True):
                if one.tokens not in said:
                    said[one.tokens] = self._reply(shown, one), one.after
                replies[member], after = said[one.tokens]
                self._contexts[requests[member].episode, requests[member].seat] = after
        return [reply for reply in replies if reply is not None]

    def retract(self, requests: Sequence[Request]) -> None:
        for request in requests:
            who = (request.episode, request.seat)
            before = self._before[who]
            if before is None:
                self._contexts.pop(who, None)
            else:
                self._contexts[who] = before

    def constrained(self, requests: Sequence[Request]) -> list[Action]:
        """Scores the legal words at the point before the faulty reply; the faulty words stay on the record.

        A greedy policy says the likeliest of them, the first of equal ones.
        """
        policy, game = self._policy, self._game
        asked, options = [], []
        for request in requests:
            context = self._before[(request.episode, request.seat)] or self._root
            asked.append(context.then(self._chunk(request, context)))
            options.append([(a, policy.chat.reply(game.action_text(a))) for a in request.legal])
        actions = []
        # the likeliest legal words are seldom the greedy reply, which would leave them all at probability 0
        greedy, temperature = policy.sampling.deterministic, policy.sampling.temperature or 1.0
        for request, masses in zip(requests, policy.score(asked, options, temperature), strict=True):
            if greedy:
                actions.append(max(masses, key=masses.__getitem__))
                continue
            total = sum(masses.values())
            legal = {a: m / total for a, m in masses.items()} if total > 0 else dict.fromkeys(masses, 1 / len(masses))
            actions.append(sample(legal, request.stream.random()))
        return actions

    def _keys(self, requests: Sequence[Request]) -> np.ndarray:
        """What keys each reply: the episode, the seat, and how many replies came before it there, [M]."""
        told = []
        for request in requests:
            who = (request.episode, request.seat)
            told.append((*who, self._asked[who]))
            self._asked[who] += 1
        return keys(self._seed, *zip(*told, strict=True))

    def _chunk(self, request: Request, context: Context) -> Ids:
        """The tokens shown now: what closes the last reply, the unread events, the opening of the next reply."""
        closing = () if context is self._root else self._policy.chat.between(context.new[-1:])
        key = (request.unread, request.seat, request.legal, closing)
        if key not in self._chunks:
            chat = self._policy.chat
            text = render_observation(self._game, request.unread, request.seat, request.legal, chat.wording)
            self._chunks[key] = closing + chat.observation(text)
        return self._chunks[key]

    def _likely(self, request: Request) -> tuple[Ids, ...]:
        """The replies that name a legal action and nothing else; none where reasons come first or many are legal."""
        policy = self._policy
        if policy.sampling.reasoning != "none" or len(request.legal) > _FEW or text_limit(request.legal):
            return ()
        if request.legal not in self._named:
            words = (self._game.action_text(action) for action in request.legal)
            self._named[request.legal] = tuple(policy.chat.reply(text) for text in words)
        return self._named[request.legal]

    def _reply(self, shown: Ids, drawn: Sample) -> Reply:
        """A drawn reply in words; of an engine that gives no log-probabilities they are NaN."""
        thought, words = self._policy.chat.read(drawn.tokens[:-1] if drawn.stopped else drawn.tokens)
        log_probs = drawn.log_probs or (math.nan,) * len(drawn.tokens)
        return Reply(words, None, Tokens(shown, drawn.tokens, log_probs), not drawn.stopped, thought)
