"""The engine of a Tinker server answers as a plain pass of the same model does."""

import numpy as np
import pytest

from equipoise.engines.engine import Context, Decoding
from equipoise.engines.plain_scoring import token_log_probs
from equipoise.errors import UserError
from equipoise.games import make_game
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.seeds import Seed, keys
from equipoise.testing import EngineCase, check_engine
from equipoise.training.adversaries import ExactCurve

PROMPT = Context((3, 45, 300, 22))


def drawn(engine, count, seed, decoding):
    """Tokens of replies to one prompt, asked for twice in one call."""
    own = [keys(Seed(seed), [number] * count, range(count)) for number in range(2)]
    return [[sample.tokens for sample in samples] for samples in engine.sample([PROMPT] * 2, own, decoding)]


@pytest.mark.timeout(1200)
def test_it_keeps_the_promises_of_an_engine_at_temperature_one_and_greedy(engine, embedded):
    def plain(prompt, reply, heat):
        return token_log_probs(embedded[0], [(prompt, reply)], heat)[0]

    check_engine(EngineCase(engine, plain, repeats=False, temperatures=(1.0, 0.0)))


def test_equal_calls_draw_the_same_and_replies_of_one_call_are_independent(engine, tokenizer):
    decoding = Decoding(1.0, 6, frozenset({tokenizer.eos_token_id}))
    first, second, other = (drawn(engine, 8, seed, decoding) for seed in (1, 1, 2))
    assert first == second
    assert first != other
    assert first[0] != first[1]
    assert len(set(first[0])) > 1


def test_a_reply_at_another_temperature_has_no_log_probabilities_and_no_score(engine):
    own = [keys(Seed(0), [0], [0])]
    ((sample,),) = engine.sample([PROMPT], own, Decoding(0.5, 2, frozenset()))
    assert sample.log_probs == ()
    with pytest.raises(UserError, match="temperature 1 alone"):
        engine.score([PROMPT], [[(5,)]], 0.5)


def test_exact_figures_of_the_served_model_are_the_local_ones(engine, embedded, tokenizer):
    curve = ExactCurve(make_game("kuhn_poker", hands=1), 1, ())
    served = curve.figures(LanguageModelPolicy("agent", engine, tokenizer))["nash_conv"]
    local = curve.figures(LanguageModelPolicy("agent", embedded[0], tokenizer))["nash_conv"]
    assert served == pytest.approx(local, abs=1e-4)
    assert np.isfinite(served)


def test_weights_of_this_process_are_refused(engine):
    with pytest.raises(UserError, match="takes no weights from this process"):
        engine.put("other", {})
