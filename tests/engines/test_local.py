"""The engine of this process keeps the promises of the seam, for every architecture and whatever is asked at once."""

import numpy as np
import pytest
import torch

from equipoise.engines.engine import Capabilities, Context, Decoding, Sample
from equipoise.engines.local import LocalEngine, wearing
from equipoise.engines.plain_scoring import token_log_probs
from equipoise.errors import UserError
from equipoise.seeds import Seed, keys
from equipoise.testing import EngineCase, check_engine

FREE = Decoding(1.0, 5, frozenset())


def each(count, prompts=1, seed=0):
    """Keys of so many replies to each of some prompts."""
    return [keys(Seed(seed), [number] * count, range(count)) for number in range(prompts)]


def plainly(model):
    """Plain passes of a model."""
    return lambda prompt, reply, heat: token_log_probs(model, [(prompt, reply)], heat)[0]


def moved(model, seed):
    """Other weights for a model, and plain passes of them."""
    generator = torch.Generator().manual_seed(seed)
    weights = {n: p + 0.1 * torch.randn(p.shape, generator=generator) for n, p in model.named_parameters()}

    def plain(prompt, reply, heat):
        with wearing(model, weights):
            return token_log_probs(model, [(prompt, reply)], heat)[0]

    return {name: value.detach() for name, value in weights.items()}, plain


def case(model):
    return EngineCase(LocalEngine(model), plainly(model), {name: moved(model, i) for i, name in enumerate("ab")})


@pytest.mark.parametrize("architecture", ["llama", "qwen3", "gemma3", "gemma4", "qwen3_5"])
def test_it_keeps_the_promises_of_an_engine_for_every_architecture(new_model, architecture):
    check_engine(case(new_model(architecture)))


def test_adapters_are_weights_by_name_too(new_model):
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=4, target_modules=["q_proj"], task_type="CAUSAL_LM", init_lora_weights=False)
    adapted = get_peft_model(new_model(), config).eval()
    own = {name: p for name, p in adapted.named_parameters() if "lora_" in name}
    weights = {name: p.detach() * -2.0 for name, p in own.items()}

    def plain(prompt, reply, heat):
        with wearing(adapted, weights):
            return token_log_probs(adapted, [(prompt, reply)], heat)[0]

    check_engine(EngineCase(LocalEngine(adapted), plainly(adapted), {"other": (weights, plain)}))


def test_bfloat16_is_within_its_own_rounding(new_model):
    half = new_model().to(torch.bfloat16)
    check_engine(EngineCase(LocalEngine(half), plainly(half), tolerance=0.25, repeats=False))


def test_the_model_s_own_weights_are_those_that_were_put_last(new_model):
    model, other = new_model(), new_model(seed=1)
    engine = LocalEngine(model)
    engine.put("", dict(other.named_parameters()))
    check_engine(EngineCase(engine, plainly(other)))


def test_what_was_read_under_older_weights_is_read_again(new_model):
    model = new_model()
    engine, prompt = LocalEngine(model), Context(tuple(range(10, 60)))
    (first,) = engine.sample([prompt], each(1), FREE)[0]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 1.3
    following = first.after.then((7, 8, 9))
    (kept,), (fresh,) = (engine.sample([c], each(1, seed=1), FREE)[0] for c in (following, Context(following.ids)))
    assert kept.tokens == fresh.tokens
    np.testing.assert_allclose(kept.log_probs, fresh.log_probs, atol=1e-5)
    np.testing.assert_allclose(kept.log_probs, token_log_probs(model, [(following.ids, kept.tokens)])[0], atol=1e-4)


def test_putting_the_model_s_own_parameters_copies_nothing(new_model):
    model = new_model()
    versions = [parameter._version for parameter in model.parameters()]
    LocalEngine(model).put("", {name: parameter.data for name, parameter in model.named_parameters()})
    assert [parameter._version for parameter in model.parameters()] == versions


def test_a_step_that_leaves_no_trace_is_told_by_put(new_model):
    model = new_model()
    engine, prompt = LocalEngine(model), Context(tuple(range(10, 60)))
    (first,) = engine.sample([prompt], each(1), FREE)[0]
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)
    model(input_ids=torch.tensor([prompt.ids])).logits.sum().backward()
    optimizer.step()
    engine.put("", {name: parameter.data for name, parameter in model.named_parameters()})
    following = first.after.then((7, 8, 9))
    (kept,) = engine.sample([following], each(1, seed=1), FREE)[0]
    np.testing.assert_allclose(kept.log_probs, token_log_probs(model, [(following.ids, kept.tokens)])[0], atol=1e-4)


@pytest.mark.parametrize("most", [1, 3, 50])
def test_draws_do_not_depend_on_how_many_rows_are_alive(new_model, monkeypatch, most):
    engine = LocalEngine(new_model())
    prompts = [Context(tuple(range(10, 20 + n))) for n in range(6)]

    def drawn():
        found = engine.sample(prompts, each(9, 6), Decoding(1.0, 6, frozenset((3, 4))))
        return [[(s.tokens, s.stopped) for s in samples] for samples in found]

    whole = drawn()
    monkeypatch.setattr("equipoise.engines.decoder.ROWS", most)
    assert drawn() == whole


def test_likely_replies_change_nothing(new_model):
    engine = LocalEngine(new_model())
    prompts = [Context(tuple(range(10, 20 + n))) for n in range(4)]
    plain = engine.sample(prompts, each(30, 4), FREE)
    likely = [tuple({s.tokens[:3] for s in samples[:2]}) for samples in plain]
    again = engine.sample(prompts, each(30, 4), FREE, likely=likely)
    assert [[s.tokens for s in samples] for samples in again] == [[s.tokens for s in samples] for samples in plain]


def test_of_the_logits_drawn_tokens_alone_reach_the_host(embedded, monkeypatch):
    moved, cpu = [], torch.Tensor.cpu

    def counted(tensor, *args, **kwargs):
        moved.append(tensor.numel())
        return cpu(tensor, *args, **kwargs)

    engine = LocalEngine(embedded[0])
    engine.sample([Context((5, 6, 7))], each(1), FREE)  # the trial of the architecture is over
    monkeypatch.setattr(torch.Tensor, "cpu", counted)
    engine.sample([Context((5, 6, 7)), Context((8,))], [*each(40), *each(2)], FREE)
    assert moved
    assert max(moved) <= 2 * 42


def test_ten_thousand_prompts_are_answered_with_few_rows_alive(random_model, monkeypatch):
    shapes, forward = [], random_model.forward

    def counted(*args, **kwargs):
        shapes.append(tuple(kwargs["input_ids"].shape))
        return forward(*args, **kwargs)

    engine = LocalEngine(random_model)
    engine.sample([Context((5, 6, 7))], each(1), FREE)
    monkeypatch.setattr(random_model, "forward", counted)
    monkeypatch.setattr("equipoise.engines.decoder.LOGITS", 1 << 19)  # 512 kibi logits of 1,280 tokens: 102 rows
    prompts = [Context((i // 1_000 + 10, i // 100 % 10 + 30, i % 100 + 50)) for i in range(10_000)]
    drawn = engine.sample(prompts, each(1, len(prompts)), Decoding(1.0, 2, frozenset()))
    assert sum(len(samples) for samples in drawn) == 10_000
    assert max(rows for rows, _ in shapes) <= 102
    for i in (0, 4_321, 9_999):
        (sample,) = drawn[i]
        plain = token_log_probs(random_model, [(prompts[i].ids, sample.tokens)])[0]
        np.testing.assert_allclose(sample.log_probs, plain, atol=1e-4)


def test_a_name_that_was_not_put_is_one_line(random_model):
    engine = LocalEngine(random_model)
    with pytest.raises(UserError, match="got the adapter 'then'; put it first; known: none"):
        engine.sample([Context((5,))], each(1), FREE, adapter="then")


class Broken(LocalEngine):
    """An engine with one promise broken at a time."""

    def __init__(self, model, how):
        super().__init__(model)
        self.how = how

    def sample(self, prompts, keys, decoding, *, adapter="", likely=()):
        if self.how == "names" and adapter == "a":
            adapter = ""
        if self.how == "keys":
            keys = [key * 0 for key in keys]
        if self.how == "beside":
            keys = [key + len(prompts) for key in keys]
        if self.how == "heat" and decoding.temperature:
            decoding = Decoding(1.0, decoding.max_new_tokens, decoding.stops)
        if self.how == "stops":
            decoding = Decoding(decoding.temperature, decoding.max_new_tokens, frozenset())
        drawn = super().sample(prompts, keys, decoding, adapter=adapter, likely=likely)
        if self.how == "counts":
            return [samples[:-1] for samples in drawn]
        if self.how == "after":
            return [[Sample(s.tokens, s.log_probs, s.stopped, Context(s.tokens)) for s in x] for x in drawn]
        return drawn

    def score(self, prompts, replies, temperature=1.0, *, adapter=""):
        found = super().score(prompts, replies, temperature, adapter=adapter)
        return [[score / 2 for score in row] for row in found] if self.how == "scores" else found


@pytest.mark.parametrize("how", ["names", "keys", "beside", "heat", "stops", "counts", "after", "scores"])
def test_the_checks_find_an_engine_that_breaks_a_promise(new_model, how):
    model = new_model()
    broken = EngineCase(Broken(model, how), plainly(model), {"a": moved(model, 1)})
    with pytest.raises(AssertionError):
        check_engine(broken)


def test_an_engine_that_can_do_less_is_held_to_what_it_says(new_model):
    class Poorer(LocalEngine):
        can = Capabilities(scores=False, log_probs=False, updates=False)

        def sample(self, *args, **kwargs):
            return [[Sample(s.tokens, (), s.stopped, s.after) for s in x] for x in super().sample(*args, **kwargs)]

        def score(self, *args, **kwargs):
            raise AssertionError("it was asked for scores, and said that it has none")

    model = new_model()
    check_engine(EngineCase(Poorer(model), plainly(model)))
