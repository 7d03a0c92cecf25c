"""A causal language model as a player: words in, words out, exact tokens on the record.

Each seat of each episode is one chat transcript. At every tick the session groups the pending transcripts by their
tokens, runs each distinct one once, and draws a reply for every member. Groups split only where sampling made them
differ, so in small games thousands of decisions are a dozen sequences; keys and values are kept between turns.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from equipoise.core import Action, Game, InformationState, Reply, Tokens
from equipoise.errors import ModelWarning, UserError
from equipoise.games.free_text import AnyText, text_limit
from equipoise.games.text import REASONING, Reasoning, observations, render_observation, render_rules
from equipoise.policies.chat import ChatFormat, Ids
from equipoise.policies.decoding import Context, Decoder
from equipoise.policies.decoding_kept import KeptDecoder
from equipoise.policies.decoding_recomputing import RecomputingDecoder
from equipoise.policies.exactness import keeps_cache
from equipoise.policies.next_token import next_token
from equipoise.policies.plain_scoring import token_log_probs
from equipoise.policies.policy import Policy, Request, Session, sample
from equipoise.policies.scoring import prompt_nodes, reply_probabilities
from equipoise.policies.token_trie import ROOT, TokenTrie
from equipoise.seeds import Seed

_WARNED: WeakSet[PreTrainedModel] = WeakSet()
"""Models that were played in a game with messages although words can imitate their turns: each is told of once."""

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
    """Tokens of a reply that every word of the game fits in: few, or half as many as a message may have characters."""
    return max(Sampling.max_new_tokens, text_limit(game.actions) // 2)


class LanguageModelPolicy(Policy):
    """Any Hugging Face causal language model with a chat template, adapters included."""

    def __init__(
        self,
        name: str,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        sampling: Sampling | None = None,
    ) -> None:
        """Wraps a loaded model (see `equipoise.models.load`) as it is, with whatever adapter is active."""
        self.name = name
        self.model = model
        self.tokenizer = tokenizer
        self.sampling = sampling or Sampling()
        eos = getattr(model.generation_config, "eos_token_id", None)
        extra = () if eos is None else tuple(eos) if isinstance(eos, list) else (eos,)
        self.chat = ChatFormat.of(tokenizer, extra, thinking=self.sampling.thinking)

    def session(self, game: Game, seed: Seed) -> Session:
        if self.chat.imitable and text_limit(game.actions) and self.model not in _WARNED:
            _WARNED.add(self.model)
            warnings.warn(
                f"the chat template of {self.name} marks turns with plain words ({self.chat.imitable!r}), which the "
                "messages of other players can hold too: what they say may pass for a turn; where that matters, use a "
                "model whose turns are control tokens",
                ModelWarning,
                stacklevel=2,
            )
        return _LanguageModelSession(self, game, seed.generator())

    def decoder(self) -> Decoder:
        """A decoder that suits the architecture."""
        if keeps_cache(self.model, self.chat):
            return KeptDecoder(self.model)
        pad = self.tokenizer.pad_token_id
        return RecomputingDecoder(self.model, self.chat.end if pad is None else pad)

    def rules(self, game: Game) -> Ids:
        """The tokens every transcript of a game starts with."""
        return self.chat.prefix(render_rules(game, self.sampling.reasoning))

    def transcript(self, game: Game, information_state: InformationState, seat: int, legal: tuple[Action, ...]) -> Ids:
        """The tokens up to the reply at an information state, own earlier replies in their plain words."""
        texts, actions = observations(game, information_state, seat, legal)
        ids = self.rules(game) + self.chat.observation(texts[0])
        for action, text in zip(actions, texts[1:], strict=True):
            ids += self.chat.reply(game.action_text(action)) + self.chat.after_reply + self.chat.observation(text)
        return ids

    def action_probabilities(
        self, game: Game, states: Sequence[tuple[int, InformationState, tuple[Action, ...]]]
    ) -> list[dict[Action, float]]:
        """Probability of each legal action's words, exactly as they would be sampled, at each (seat, state, legal).

        The probabilities of a state sum to at most 1; what is missing is the mass outside the legal words (other
        spellings and other tokenisations of the same words included), an upper bound on the fault probability.

        Raises:
            ValueError: For a policy that reasons before it acts: its actions' probabilities are sums over reasons; and
                for a state in which any text is legal.
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
        if not keeps_cache(self.model, self.chat):
            prompts = [self.transcript(game, state, seat, legal) for seat, state, legal in states]
            return self.score(prompts, [[(a, words[a]) for a in legal] for _, _, legal in states])
        trie = TokenTrie()
        nodes = prompt_nodes(trie, game, self.chat, self.rules(game), states)
        asked = [(node, [words[a] for a in legal]) for node, (_, _, legal) in zip(nodes, states, strict=True)]
        masses = reply_probabilities(self.model, trie, asked, self.sampling.temperature)
        return [dict(zip(legal, row, strict=True)) for (_, _, legal), row in zip(states, masses, strict=True)]

    def score(
        self,
        prompts: Sequence[Ids],
        replies: Sequence[Sequence[tuple[Action, Ids]]],
        temperature: float | None = None,
    ) -> list[dict[Action, float]]:
        """Probability of each listed reply after each prompt; equal prompts and beginnings are run once.

        Args:
            prompts: What is shown.
            replies: After each prompt, actions and their words.
            temperature: Another one than the policy's own.
        """
        temperature = self.sampling.temperature if temperature is None else temperature
        if keeps_cache(self.model, self.chat):
            trie = TokenTrie()
            asked = [
                (trie.leaf(ROOT, prompt), [ids for _, ids in options])
                for prompt, options in zip(prompts, replies, strict=True)
            ]
            found = reply_probabilities(self.model, trie, asked, temperature)
        else:
            rows = list({(p, ids): None for p, options in zip(prompts, replies, strict=True) for _, ids in options})
            log_probs = token_log_probs(self.model, rows, temperature)
            known = {row: float(np.exp(np.sum(scores))) for row, scores in zip(rows, log_probs, strict=True)}
            found = [[known[p, ids] for _, ids in options] for p, options in zip(prompts, replies, strict=True)]
        return [dict(zip([a for a, _ in o], masses, strict=True)) for o, masses in zip(replies, found, strict=True)]


@dataclass(eq=False, slots=True)
class _Path:
    """One distinct reply in the making: whose turn it is, what was drawn, and who draws it."""

    turn: int
    members: np.ndarray
    drawn: Ids = ()
    log_probs: tuple[float, ...] = ()


class _LanguageModelSession(Session):
    def __init__(self, policy: LanguageModelPolicy, game: Game, rng: np.random.Generator) -> None:
        self._policy, self._game, self._rng = policy, game, rng
        self._decoder = policy.decoder()
        self._prefix = policy.rules(game)
        self._root = self._rules_context()
        self._contexts: dict[tuple[int, int], Context] = {}
        self._before: dict[tuple[int, int], Context | None] = {}
        self._chunks: dict[tuple[Any, ...], Ids] = {}
        self._named: dict[tuple[Action, ...], tuple[Ids, ...]] = {}

    def _rules_context(self) -> Context:
        """The rules, run once for every transcript of the session; their last token is fed with the first turn."""
        if len(self._prefix) < 2:
            return Context(self._prefix)
        self._decoder.feed([Context(())], [self._prefix[:-1]])
        return self._decoder.context(self._prefix, 0, 1)

    def replies(self, requests: Sequence[Request]) -> list[Reply]:
        turns: dict[tuple[Context, Ids], list[int]] = {}
        for i, request in enumerate(requests):
            who = (request.episode, request.seat)
            context = self._contexts.get(who, self._root)
            self._before[who] = self._contexts.get(who)
            turns.setdefault((context, self._chunk(request, context)), []).append(i)
        keys = list(turns)
        paths = [_Path(k, np.array(members)) for k, members in enumerate(turns.values())]
        with torch.inference_mode():
            likely = [self._likely(requests[path.members[0]]) for path in paths]
            logits = self._decoder.feed([context for context, _ in keys], [chunk for _, chunk in keys], likely)
            return self._draw(requests, keys, paths, logits)

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
        prompts, options = [], []
        for request in requests:
            context = self._before[(request.episode, request.seat)] or self._root
            prompts.append(context.ids + self._chunk(request, context))
            options.append([(a, policy.chat.reply(game.action_text(a))) for a in request.legal])
        actions = []
        # the likeliest legal words are seldom the greedy reply, which would leave them all at probability 0
        greedy, temperature = policy.sampling.deterministic, policy.sampling.temperature or 1.0
        for request, masses in zip(requests, policy.score(prompts, options, temperature), strict=True):
            if greedy:
                actions.append(max(masses, key=masses.__getitem__))
                continue
            total = sum(masses.values())
            legal = {a: m / total for a, m in masses.items()} if total > 0 else dict.fromkeys(masses, 1 / len(masses))
            actions.append(sample(legal, request.stream.random()))
        return actions

    def _chunk(self, request: Request, context: Context) -> Ids:
        """The tokens shown now: what closes the last reply, the unread events, the opening of the next reply."""
        first = context is self._root
        closing = () if first else self._policy.chat.between((context.ids[-1],))
        key = (request.unread, request.seat, request.legal, closing)
        if key not in self._chunks:
            text = render_observation(self._game, request.unread, request.seat, request.legal)
            self._chunks[key] = closing + self._policy.chat.observation(text)
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

    def _draw(
        self,
        requests: Sequence[Request],
        keys: Sequence[tuple[Context, Ids]],
        paths: list[_Path],
        logits: torch.Tensor,
    ) -> list[Reply]:
        """Draws tokens for all members of all paths until every path has ended."""
        sampling, stops = self._policy.sampling, self._policy.chat.stops
        distribution = next_token(sampling.temperature)
        replies: list[Reply | None] = [None] * len(requests)
        for length in range(1, sampling.max_new_tokens + 1):
            log_probs = distribution.log_probs(logits).double().cpu().numpy()
            grown = self._split(paths, log_probs)
            going: list[tuple[int, _Path]] = []
            for parent, path in grown:
                stopped = path.drawn[-1] in stops
                if stopped or length == sampling.max_new_tokens:
                    self._finish(requests, keys[path.turn], path, parent, stopped, replies)
                else:
                    going.append((parent, path))
            if not going:
                break
            paths = [path for _, path in going]
            parents = np.array([parent for parent, _ in going])
            logits = self._decoder.branch(parents, np.array([path.drawn[-1] for path in paths]))
        return [reply for reply in replies if reply is not None]

    def _split(self, paths: Sequence[_Path], log_probs: np.ndarray) -> list[tuple[int, _Path]]:
        """Draws the next token of every member; a path becomes one path per distinct token."""
        sizes = np.array([len(path.members) for path in paths])
        rows = np.repeat(np.arange(len(paths)), sizes)
        cumulative = np.exp(log_probs).cumsum(axis=1)
        cumulative /= cumulative[:, -1:]
        uniform = self._rng.random(len(rows))
        width = log_probs.shape[1]
        flat = (cumulative + np.arange(len(paths))[:, None]).ravel()
        tokens = np.minimum(np.searchsorted(flat, uniform + rows, side="right") - rows * width, width - 1)
        members = np.concatenate([path.members for path in paths])
        order = np.argsort(rows * width + tokens, kind="stable")
        codes = (rows * width + tokens)[order]
        cuts = np.flatnonzero(np.diff(codes)) + 1
        grown = []
        for chunk in np.split(order, cuts):
            row, token = int(rows[chunk[0]]), int(tokens[chunk[0]])
            path = paths[row]
            drawn, scores = (*path.drawn, token), (*path.log_probs, float(log_probs[row, token]))
            grown.append((row, _Path(path.turn, members[chunk], drawn, scores)))
        return grown

    def _finish(
        self,
        requests: Sequence[Request],
        key: tuple[Context, Ids],
        path: _Path,
        row: int,
        stopped: bool,
        replies: list[Reply | None],
    ) -> None:
        """One reply object and one context for all members of a finished path."""
        context, chunk = key
        first = context is self._root
        shown = (self._prefix if first else ()) + chunk
        thought, words = self._policy.chat.read(path.drawn[:-1] if stopped else path.drawn)
        reply = Reply(words, None, Tokens(shown, path.drawn, path.log_probs), not stopped, thought)
        after = self._decoder.context(context.ids + chunk + path.drawn, row, 1)
        for member in path.members:
            request = requests[member]
            replies[member] = reply
            self._contexts[(request.episode, request.seat)] = after
