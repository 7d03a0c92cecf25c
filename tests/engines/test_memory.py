"""Memory that runs out: the same work in smaller parts, said, and one line where nothing fits."""

import pytest
import torch

from equipoise.engines.engine import Context, Decoding
from equipoise.engines.local import LocalEngine
from equipoise.engines.memory import fitting, within
from equipoise.errors import ModelWarning, UserError
from tests.engines.trees import each

DECODING = Decoding(1.0, 3, frozenset())
PROMPTS = [Context(tuple(range(10, 20 + n))) for n in range(24)]


def narrow(model, monkeypatch, most):
    """A model whose passes of more rows than so many find no memory."""
    shapes, forward = [], model.forward

    def limited(*args, **kwargs):
        rows = len(kwargs["input_ids"])
        shapes.append(rows)
        if rows > most:
            raise torch.OutOfMemoryError(f"tried to allocate {rows} GiB")
        return forward(*args, **kwargs)

    monkeypatch.setattr(model, "forward", limited)
    return shapes


def drawn(engine):
    return [[s.tokens for s in samples] for samples in engine.sample(PROMPTS, each([3] * len(PROMPTS)), DECODING)]


def test_draws_and_scores_go_on_in_halves_and_are_what_they_were(new_model, monkeypatch):
    engine = LocalEngine(new_model())
    apart = [Context((n + 10, 5, n + 40, 6)) for n in range(24)]  # nothing in common, a row each
    whole, replies = drawn(engine), [[(7, 8), (9,)]] * len(apart)
    scores = engine.score(apart, replies)
    narrow(engine.model, monkeypatch, 5)
    with pytest.warns(ModelWarning, match="out of memory while drawing replies; it goes on in 1/"):
        assert drawn(engine) == whole
    with pytest.warns(ModelWarning, match="out of memory while scoring replies; it goes on in 1/"):
        again = engine.score(apart, replies)
    for one, other in zip(again, scores, strict=True):
        assert one == pytest.approx(other, abs=1e-4)


def test_what_fits_in_no_part_is_one_line(new_model, monkeypatch):
    engine = LocalEngine(new_model())
    drawn(engine)
    narrow(engine.model, monkeypatch, 0)
    with pytest.warns(ModelWarning), pytest.raises(UserError, match="out of memory while drawing replies") as caught:
        drawn(engine)
    assert "\n" not in str(caught.value)


def test_bounds_are_whole_again_afterwards_and_other_errors_pass():
    seen = []

    def work():
        seen.append(within(8))
        if len(seen) < 4:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
        return "done"

    with pytest.warns(ModelWarning):
        assert fitting(work, "trying") == "done"
    assert (seen, within(8)) == ([8, 4, 2, 1], 8)
    with pytest.raises(RuntimeError, match="something else"):
        fitting(lambda: (_ for _ in ()).throw(RuntimeError("something else")), "trying")
