"""Ways to draw replies are compared on equal terms: they draw alike, and play as much."""

import math
import time

import pytest

from equipoise.engines.engine import Context, Decoding
from equipoise.engines.local import LocalEngine
from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.models.load import load
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.seeds import Seed, keys

HERE = ("local", "generate", "continuous", "one at a time")
DRAWS = {"local": 400, "generate": 400, "continuous": 100, "one at a time": 60}


@pytest.fixture(scope="module")
def tiny():
    return load("tiny")


@pytest.mark.filterwarnings("ignore")  # of transformers' own
@pytest.mark.parametrize("way", HERE)
def test_a_way_draws_from_the_models_own_distribution(script, way):
    model, tokenizer = load("tiny")
    policy = LanguageModelPolicy("agent", model, tokenizer)
    prompt = Context(policy.rules(KuhnPoker()) + policy.chat.observation("You hold Q. check or bet?"))
    likely = policy.chat.reply("check")
    (scores,) = LocalEngine(model).score([prompt], [[likely]])
    engine = script("ways").WAYS[way](model)
    n, p = DRAWS[way], math.exp(scores[0])
    (drawn,) = engine.sample([prompt], [keys(Seed(1), range(n))], Decoding(1.0, 8, policy.chat.stops))
    assert all(sample.stopped == (sample.tokens[-1] in policy.chat.stops) for sample in drawn)
    assert all(sample.after.ids == prompt.ids + sample.tokens for sample in drawn)
    share = sum(sample.tokens == likely for sample in drawn) / n
    assert 0.01 < p < 0.99
    assert share == pytest.approx(p, abs=4 * math.sqrt(p * (1 - p) / n))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("way", ["local", "generate"])
def test_a_load_asks_every_way_for_as_much(script, tiny, way):
    loads = script("loads")
    model, tokenizer = tiny
    for load_name, size, replies in (("dilemma", 2, 16), ("free", 3, 3)):
        counting = loads.Counting(script("ways").WAYS[way](model))
        loads.LOADS[load_name](LanguageModelPolicy("agent", counting, tokenizer), size, 0)
        assert counting.replies == replies
    assert counting.drawn_tokens == 3 * loads.FREE_TOKENS


def test_a_way_that_is_not_done_in_time_says_so(script):
    common = script("common")
    with pytest.raises(common.Unmeasured, match="1 s"):
        common.in_child(time.sleep, 60, timeout_s=1)
