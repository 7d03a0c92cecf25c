"""Three loads that are played alike in every way of `ways.WAYS`, and one measurement of one of them.

    kuhn     hands of Kuhn poker against oneself: a dozen prompts that repeat, each a beginning of few others
    dilemma  eight rounds of the prisoner's dilemma against tit for tat: each round's prompt extends the last round's
    free     replies of 64 tokens, whatever they are, each to a question of its own: nothing to share but the opening

In games a reply that names no action is replaced by a random legal one, so that every way plays all rounds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from common import peak_mib

from equipoise.arena import Match, rollout
from equipoise.engines.engine import Capabilities, Context, Decoding, Engine, Sample
from equipoise.games import domain, make_game
from equipoise.policies import ScriptedPolicy
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.seeds import Seed, keys

OPPONENT = "tit_for_tat"
FREE_TOKENS = 64
SUBJECTS = ("the sea", "a market", "chess", "winter", "bread", "maps", "bees", "trains")
FORMS = (
    "Tell me about {}.",
    "Why do people like {}?",
    "Write a short story about {}.",
    "What is the history of {}?",
    "Explain {} to a child.",
    "Give me three facts about {}.",
    "Write a letter in which {} is mentioned.",
    "What would the world be without {}?",
)
QUESTIONS = [form.format(subject) for form in FORMS for subject in SUBJECTS]


class Counting:
    """An engine that counts what another one is asked for and gives."""

    def __init__(self, engine: Engine) -> None:
        """Args: engine: The other one."""
        self._engine = engine
        self.name, self.can, self.vocabulary, self.stops = engine.name, engine.can, engine.vocabulary, engine.stops
        self.can: Capabilities
        self.replies = self.prompt_tokens = self.drawn_tokens = 0

    def sample(self, prompts: Sequence[Context], own: Sequence[np.ndarray], *args: Any, **named: Any) -> Any:
        """As `Engine.sample`."""
        samples: list[list[Sample]] = self._engine.sample(prompts, own, *args, **named)
        for prompt, some in zip(prompts, samples, strict=True):
            self.replies += len(some)
            self.prompt_tokens += prompt.length * len(some)
            self.drawn_tokens += sum(len(sample.tokens) for sample in some)
        return samples


def kuhn(policy: LanguageModelPolicy, hands: int, seed: int) -> None:
    """One-hand episodes against oneself; about 2.4 decisions each."""
    matches = [Match(("agent", "agent"), deal) for deal in range(hands)]
    rollout(make_game("kuhn_poker", hands=1), {"agent": policy}, matches, seed=seed, fault_rule="random_legal")


def dilemma(policy: LanguageModelPolicy, episodes: int, seed: int) -> None:
    """Eight rounds each, eight decisions."""
    matches = [Match(("agent", OPPONENT), deal) for deal in range(episodes)]
    script = ScriptedPolicy(domain("prisoners_dilemma").pools.find(OPPONENT))
    players = {"agent": policy, OPPONENT: script}
    rollout(make_game("prisoners_dilemma"), players, matches, seed=seed, fault_rule="random_legal")


def free(policy: LanguageModelPolicy, replies: int, seed: int) -> None:
    """Replies that end after 64 tokens and nowhere else."""
    chat = policy.chat
    start = Context(chat.prefix("You are a helpful assistant."))
    asked = [start.then(chat.observation(QUESTIONS[i % len(QUESTIONS)])) for i in range(replies)]
    own = keys(Seed(seed), range(replies))
    policy.engine.sample(asked, list(own[:, None]), Decoding(1.0, FREE_TOKENS, frozenset()))


LOADS: dict[str, Callable[[LanguageModelPolicy, int, int], None]] = {"kuhn": kuhn, "dilemma": dilemma, "free": free}


def measure(way: str, load: str, size: int, name: str, seed: int) -> dict[str, Any]:
    """Plays a load in a way, after a little of it to warm up.

    Args:
        way: One of `ways.WAYS`.
        load: One of `LOADS`.
        size: Hands, episodes or replies.
        name: Of the model.
        seed: Of what is drawn.

    Returns:
        Replies, the tokens of their prompts, those drawn, those that forward passes were given where they can be
        watched, seconds by both clocks, and growth of the peak memory.
    """
    from ways import WAYS

    from equipoise.models.load import load as load_model

    torch.set_num_threads(1)
    model, tokenizer = load_model(name)
    fed = _watched(model)
    engine = WAYS[way](model)
    LOADS[load](LanguageModelPolicy("agent", engine, tokenizer), min(size, 2), seed + 1_000)
    counting, before, fed_before = Counting(engine), peak_mib(), fed[0]
    start, cpu = time.perf_counter(), time.process_time()
    LOADS[load](LanguageModelPolicy("agent", counting, tokenizer), size, seed)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    engine.close()
    return {
        "size": size,
        "replies": counting.replies,
        "prompt_tokens": counting.prompt_tokens,
        "drawn_tokens": counting.drawn_tokens,
        "fed_tokens": fed[0] - fed_before,
        "seconds": seconds,
        "cpu_seconds": cpu,
        "memory_mib": peak_mib() - before,
    }


def _watched(model: Any) -> list[int]:
    """A list of one number: the tokens that a model's forward passes are given from now on, padding included."""
    fed = [0]

    def count(module: Any, args: Any, named: dict[str, Any]) -> None:
        fed[0] += (named["input_ids"] if "input_ids" in named else args[0]).numel()

    model.register_forward_pre_hook(count, with_kwargs=True)
    return fed
