"""Holds an engine to what the seam promises: what it draws is what is scored, by name, by count and to the limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import exp
from typing import Any

import numpy as np

from equipoise.engines.engine import Context, Decoding, Engine, Ids, Sample
from equipoise.errors import UserError
from equipoise.seeds import Seed, Use, keys

Plain = Callable[[Ids, Ids, float], Sequence[float]]
"""Log-probability of each token of a reply after its prompt at a temperature, by one plain forward pass."""

_LENGTHS, _COUNT, _LIMIT = (3, 17, 40), 5, 6
"""Tokens of the prompts of a check, replies drawn to each, and their longest."""


@dataclass(frozen=True)
class EngineCase:
    """An engine to check, and what is known of its model by other means.

    Attributes:
        engine: The engine, serving a model.
        plain: What a plain float32 pass of that model says.
        adapters: Weights to put under names, each with what a plain pass says of them; they must differ from the
            model's own. None where the engine takes no weights.
        tolerance: How far a log-probability may be off; for bfloat16 say how far.
        repeats: Whether equal keys promise equal draws.
        temperatures: At which it gives log-probabilities and scores, 1 among them; it draws at any.
    """

    engine: Engine
    plain: Plain
    adapters: Mapping[str, tuple[Mapping[str, Any], Plain]] = field(default_factory=dict)
    tolerance: float = 1e-4
    repeats: bool = True
    temperatures: tuple[float, ...] = (1.0, 0.7, 0.0)


def check_engine(case: EngineCase, seed: int = 0) -> None:
    """Asserts that an engine keeps the promises of `Engine`.

    Counts and limits; tokens that stop a reply; equal draws of equal keys, whatever is drawn beside them, and others of
    others; sampled log-probabilities that are those of a plain pass; scores that are those of the samples and sum to at
    most 1; contexts that go on where a reply ended; weights by name, which leave the model's own as they are; and calls
    that ask for nothing.

    Args:
        case: The engine and what is known of its model.
        seed: Keys prompts and draws.
    """
    rng = Seed(seed).at(Use.CHECKS).generator()
    lengths = (*_LENGTHS, _LENGTHS[-1])
    prompts = [Context(tuple(rng.integers(case.engine.vocabulary, size=n).tolist())) for n in lengths]
    _check_draws(case, prompts, Seed(seed).at(Use.CHECKS, 1))
    _check_limits(case, prompts, Seed(seed).at(Use.CHECKS, 2))
    _check_turns(case, prompts, Seed(seed).at(Use.CHECKS, 3))
    if case.engine.can.scores:
        _check_scores(case, prompts, Seed(seed).at(Use.CHECKS, 4))
    _check_names(case, prompts, Seed(seed).at(Use.CHECKS, 5))
    nothing = Decoding(1.0, 1, frozenset())
    assert case.engine.sample([], [], nothing) == [], "asked for no reply, it gives some"
    assert not case.engine.can.scores or case.engine.score([], []) == [], "asked for no score, it gives some"


def _keys(seed: Seed, counts: Sequence[int]) -> list[np.ndarray]:
    """So many keys for each prompt."""
    return [keys(seed, [number] * count, range(count)) for number, count in enumerate(counts)]


def _flat(samples: Sequence[Sequence[Sample]]) -> list[Sample]:
    return [sample for drawn in samples for sample in drawn]


def _tokens(samples: Sequence[Sequence[Sample]]) -> list[list[Ids]]:
    return [[sample.tokens for sample in drawn] for drawn in samples]


def _require_plain(case: EngineCase, plain: Plain, pairs: Sequence[tuple[Ids, Sample]], heat: float) -> None:
    """Recorded log-probabilities are those of a plain pass."""
    if not case.engine.can.log_probs:
        return
    for prompt, sample in pairs:
        assert len(sample.log_probs) == len(sample.tokens), f"{sample} has not one log-probability a token"
        off = np.abs(np.array(sample.log_probs) - np.array(plain(prompt, sample.tokens, heat))).max()
        assert off <= case.tolerance, f"a log-probability of {sample.tokens} after {prompt} is {off} off a plain pass"


def _check_draws(case: EngineCase, prompts: Sequence[Context], seed: Seed) -> None:
    engine, counts = case.engine, [_COUNT + i for i in range(len(prompts))]
    for heat in (1.0, 0.7, 0.0):
        decoding = Decoding(heat, _LIMIT, frozenset())
        drawn = engine.sample(prompts, _keys(seed, counts), decoding)
        assert [len(samples) for samples in drawn] == counts, "it gives more or fewer replies than asked for"
        pairs = [(prompt.ids, sample) for prompt, samples in zip(prompts, drawn, strict=True) for sample in samples]
        assert all(sample.after.ids == prompt + sample.tokens for prompt, sample in pairs), "`after` is another text"
        if heat in case.temperatures:
            _require_plain(case, case.plain, pairs, heat)
        again, other = (_tokens(engine.sample(prompts, _keys(s, counts), decoding)) for s in (seed, seed.at(1)))
        if heat == 0.0:
            assert all(len(set(samples)) == 1 for samples in _tokens(drawn)), "greedy replies differ"
            assert other == _tokens(drawn), "a greedy reply depends on its key"
        elif case.repeats:
            assert again == _tokens(drawn), "equal keys give other draws"
            assert other != _tokens(drawn), "other keys give the same draws"
            alone = engine.sample(prompts[1:2], [_keys(seed, counts)[1][2:4]], decoding)
            assert _tokens(alone) == [_tokens(drawn)[1][2:4]], "a draw depends on what is drawn beside it"


def _check_limits(case: EngineCase, prompts: Sequence[Context], seed: Seed) -> None:
    free = _flat(case.engine.sample(prompts, _keys(seed, [_COUNT] * len(prompts)), Decoding(1.0, _LIMIT, frozenset())))
    assert all(len(sample.tokens) == _LIMIT and not sample.stopped for sample in free), "a reply ends before its limit"
    stops = frozenset(sample.tokens[1] for sample in free)
    for limit in (1, _LIMIT):
        drawn = _flat(case.engine.sample(prompts, _keys(seed, [_COUNT] * len(prompts)), Decoding(1.0, limit, stops)))
        for sample in drawn:
            assert 1 <= len(sample.tokens) <= limit, f"a reply of {len(sample.tokens)} tokens, and {limit} allowed"
            assert stops.isdisjoint(sample.tokens[:-1]), f"{sample.tokens} goes on after a token that ends it"
            assert sample.stopped == (sample.tokens[-1] in stops), f"{sample} does not say how it ended"
            assert sample.stopped or len(sample.tokens) == limit, f"{sample} ended for no reason"


def _check_turns(case: EngineCase, prompts: Sequence[Context], seed: Seed) -> None:
    """A context that goes on after a reply is the same as all its tokens afresh."""
    decoding = Decoding(1.0, 3, frozenset())
    first = _flat(case.engine.sample(prompts, _keys(seed, [2] * len(prompts)), decoding))
    shown = prompts[0].ids
    kept = [sample.after.then(shown) for sample in first]
    fresh = [Context(context.ids) for context in kept]
    drawn = [
        case.engine.sample(contexts, _keys(seed.at(1), [2] * len(contexts)), decoding) for contexts in (kept, fresh)
    ]
    for contexts, samples in zip((kept, fresh), drawn, strict=True):
        pairs = [(context.ids, s) for context, found in zip(contexts, samples, strict=True) for s in found]
        _require_plain(case, case.plain, pairs, 1.0)
    if case.repeats:
        assert _tokens(drawn[0]) == _tokens(drawn[1]), "a context that goes on gives other draws than its tokens afresh"


def _check_scores(case: EngineCase, prompts: Sequence[Context], seed: Seed) -> None:
    heat = 0.7 if 0.7 in case.temperatures else 1.0
    engine, decoding = case.engine, Decoding(heat, 3, frozenset())
    drawn = engine.sample(prompts, _keys(seed, [_COUNT] * len(prompts)), decoding)
    replies = [list(dict.fromkeys(sample.tokens for sample in samples)) for samples in drawn]
    scores = engine.score(prompts, replies, heat)
    for prompt, options, found in zip(prompts, replies, scores, strict=True):
        assert len(found) == len(options), "it gives more or fewer scores than asked for"
        for reply, score in zip(options, found, strict=True):
            off = abs(score - float(np.sum(case.plain(prompt.ids, reply, heat))))
            assert off <= len(reply) * case.tolerance, f"the score of {reply} is {off} off a plain pass"
        total = sum(map(exp, found))
        assert total <= 1.0 + case.tolerance, f"scores of different replies to one prompt sum to {total}"
    (single,) = engine.score(prompts[:1], [[(token,) for token in range(engine.vocabulary)]])
    total = sum(map(exp, single))
    assert abs(total - 1.0) <= case.tolerance, f"the scores of all replies of one token sum to {total}"


def _check_names(case: EngineCase, prompts: Sequence[Context], seed: Seed) -> None:
    engine, decoding, wanted = case.engine, Decoding(1.0, 3, frozenset()), _keys(seed, [2] * len(prompts))
    try:
        engine.sample(prompts, wanted, decoding, adapter="nobody")
    except UserError:
        pass
    else:
        raise AssertionError("it answers under a name that it was not given")
    if not engine.can.updates:
        return
    for name, (weights, _) in case.adapters.items():
        engine.put(name, weights)
    for name, plain in (*((name, plain) for name, (_, plain) in case.adapters.items()), ("", case.plain)):
        drawn = engine.sample(prompts, wanted, decoding, adapter=name)
        pairs = [(prompt.ids, sample) for prompt, samples in zip(prompts, drawn, strict=True) for sample in samples]
        _require_plain(case, plain, pairs, 1.0)
        if engine.can.scores:
            scores = engine.score(prompts, [[samples[0].tokens] for samples in drawn], adapter=name)
            for prompt, samples, (score,) in zip(prompts, drawn, scores, strict=True):
                off = abs(score - float(np.sum(plain(prompt.ids, samples[0].tokens, 1.0))))
                assert off <= 3 * case.tolerance, f"a score under {name!r} is {off} off a plain pass of its weights"
        prompts = [samples[0].after.then(prompts[0].ids[:3]) for samples in drawn]  # read under other weights
    for name in case.adapters:
        engine.drop(name)
