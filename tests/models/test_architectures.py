"""Random instances of real architectures go through play, scoring and a training step like the embedded model."""

import numpy as np
import pytest
import torch
import transformers

from equipoise.arena import Match, rollout
from equipoise.engines.architectures import attends_to_everything
from equipoise.engines.exactness import way_of
from equipoise.engines.plain_scoring import token_log_probs
from equipoise.errors import UserError
from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.metrics import information_states
from equipoise.policies.language_model import LanguageModelPolicy, Sampling
from equipoise.training.play import Experience
from equipoise.training.rows import NOT_OURS, merged, transcript_row
from equipoise.training.trainer import EpisodeTrainer, StepSettings

ARCHITECTURES = {"llama": "keys", "qwen3": "keys", "gemma3": "keys", "gemma4": "keys", "qwen3_5": "states"}
"""What is kept of a transcript between its turns."""

SMALL = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2)
WIDE = dict(initializer_range=0.2)
"""Weights so large that a token in the wrong place is seen."""
WINDOWS = dict(
    sliding_window=16,
    layer_types=["sliding_attention", "full_attention"],
    intermediate_size=64,
    num_key_value_heads=1,
    head_dim=16,
)
OTHERS = {
    "Qwen2ForCausalLM": (SMALL | WIDE | dict(intermediate_size=64, num_key_value_heads=1), "keys"),
    "GPT2LMHeadModel": (dict(n_embd=32, n_layer=2, n_head=2) | WIDE, "keys"),
    "GPTNeoXForCausalLM": (SMALL | WIDE | dict(intermediate_size=64), "keys"),
    "Gemma2ForCausalLM": (SMALL | WIDE | WINDOWS, "keys"),
    "GPTNeoForCausalLM": (
        dict(hidden_size=32, num_layers=2, num_heads=2, attention_types=[[["global", "local"], 1]], window_size=16)
        | WIDE,
        "nothing",
    ),
    "MptForCausalLM": (dict(d_model=32, n_heads=2, n_layers=2, max_seq_len=1024) | WIDE, "nothing"),
    "BloomForCausalLM": (dict(hidden_size=32, n_layer=2, n_head=2) | WIDE, "nothing"),
    "FalconForCausalLM": (SMALL | WIDE | dict(alibi=True), "nothing"),
    "MambaForCausalLM": (dict(hidden_size=32, num_hidden_layers=2, state_size=4), None),
    "Mamba2ForCausalLM": (
        dict(hidden_size=32, num_hidden_layers=2, state_size=4, num_heads=4, head_dim=16, n_groups=1),
        None,
    ),
    "RecurrentGemmaForCausalLM": (
        SMALL | dict(num_hidden_layers=3, intermediate_size=64, lru_width=32, attention_window_size=16),
        None,
    ),
}
"""Further classes with their settings, and what is kept of a transcript; None where they are not served at all."""


def another(name, tokenizer):
    """A random instance of another class for the shared tokenizer."""
    model_class = getattr(transformers, name)
    tokens = dict(bos_token_id=None, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = model_class.config_class(vocab_size=len(tokenizer), **tokens, **OTHERS[name][0])
        return model_class(config).eval()


def self_play(model, tokenizer, episodes, temperature=1.0):
    policy = LanguageModelPolicy("agent", model, tokenizer, Sampling(temperature, 5))
    matches = [Match(("agent", "agent"), deal) for deal in range(episodes)]
    return rollout(KuhnPoker(hands=6), {"agent": policy}, matches, seed=3, fault_rule="constrained")


def assert_recorded_is_scored(model, tokenizer, temperature):
    """What six hands record while sampling is what one plain pass over each transcript scores."""
    episodes = self_play(model, tokenizer, 4, temperature)
    rows = [transcript_row(episode, seat) for episode in episodes for seat in (0, 1)]
    assert min(len(row.prompt + row.completion) for row in rows) > 64
    recorded = [[p for d in e.of(seat) for p in d.reply.tokens.log_probs] for e in episodes for seat in (0, 1)]
    with torch.inference_mode():
        for row, record in zip(rows, recorded, strict=True):
            logits = model(input_ids=torch.tensor([row.prompt + row.completion])).logits[0, len(row.prompt) - 1 : -1]
            scores = torch.log_softmax(logits / temperature, dim=-1)
            chosen = scores.gather(1, torch.tensor(row.completion)[:, None])[:, 0].numpy()
            np.testing.assert_allclose(chosen[np.array(row.turn) != NOT_OURS], record, atol=1e-4)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_six_hands_are_recorded_as_one_plain_forward_pass_scores_them(new_model, tokenizer, name):
    model = new_model(name)
    assert way_of(model).name == ARCHITECTURES[name]
    assert_recorded_is_scored(model, tokenizer, 0.7)


@pytest.mark.parametrize("name", [name for name, (_, kept) in OTHERS.items() if kept is not None])
def test_other_classes_are_recorded_as_plain_passes_score_them_and_scored_as_they_are(tokenizer, name):
    model = another(name, tokenizer)
    assert way_of(model).name == OTHERS[name][1]
    assert_recorded_is_scored(model, tokenizer, 0.7)
    policy, game = LanguageModelPolicy("agent", model, tokenizer), KuhnPoker(hands=2)
    states = information_states(game)[::9]
    rows = [
        (policy.transcript(game, seen, seat, legal), policy.chat.reply(game.action_text(action)))
        for seat, seen, legal in states
        for action in legal
    ]
    scored = [p for masses in policy.action_probabilities(game, states) for p in masses.values()]
    plain = [float(np.exp(token_log_probs(model, [row])[0].sum())) for row in rows]
    np.testing.assert_allclose(np.log(scored), np.log(plain), atol=1e-4)


@pytest.mark.parametrize("name", ["MptForCausalLM", "BloomForCausalLM", "FalconForCausalLM", "GPT2LMHeadModel"])
def test_rounding_does_not_hide_that_positions_come_from_slots(tokenizer, name):
    half = another(name, tokenizer).to(torch.bfloat16)
    assert way_of(half).name == OTHERS[name][1]


@pytest.mark.filterwarnings("ignore:.*reference PyTorch implementation")
@pytest.mark.parametrize("name", [name for name, (_, kept) in OTHERS.items() if kept is None])
def test_an_architecture_without_attention_to_all_tokens_is_refused_in_one_line(tokenizer, name):
    policy = LanguageModelPolicy("agent", another(name, tokenizer), tokenizer)
    states = information_states(KuhnPoker())
    matches = [Match(("agent", "agent"), 0)]
    for use in (
        lambda: rollout(KuhnPoker(), {"agent": policy}, matches, seed=0),
        lambda: policy.action_probabilities(KuhnPoker(), states),
    ):
        with pytest.raises(UserError, match=name) as caught:
            use()
        assert "\n" not in str(caught.value)


def test_positions_that_change_with_the_length_are_never_kept(new_model):
    assert attends_to_everything(new_model().config)
    for kind in ("dynamic", "longrope"):
        model = new_model()
        model.config.rope_parameters = {"rope_type": kind, "rope_theta": 10_000.0, "factor": 2.0}
        assert not attends_to_everything(model.config)


def test_a_model_is_tried_once_and_left_as_it_was(new_model, tokenizer, monkeypatch):
    model, passes = new_model(), []
    model.train()
    model.model.layers[0].eval()
    modes = [module.training for module in model.modules()]
    forward = model.forward
    monkeypatch.setattr(model, "forward", lambda *a, **k: passes.append(1) or forward(*a, **k))
    assert way_of(model).name == "keys"
    first = len(passes)
    assert way_of(model).name == "keys"
    assert 0 < len(passes) == first
    assert [module.training for module in model.modules()] == modes


def test_a_cache_that_is_silently_wrong_is_found(new_model, tokenizer, monkeypatch):
    model = new_model()
    forward = model.forward

    def misplaced(*args, position_ids=None, **settings):
        return forward(*args, position_ids=None if position_ids is None else 2 * position_ids, **settings)

    monkeypatch.setattr(model, "forward", misplaced)
    with pytest.raises(UserError, match="LlamaForCausalLM"):
        way_of(model)


def test_a_model_with_fewer_tokens_than_its_tokenizer_is_refused_in_one_line(new_model, tokenizer):
    with pytest.raises(UserError, match="do not fit together"):
        LanguageModelPolicy("agent", new_model(vocab_size=64), tokenizer)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_one_training_step_raises_the_probability_of_what_is_rewarded(new_model, tokenizer, name, tmp_path):
    model = new_model(name)
    episodes = self_play(model, tokenizer, 3)
    played = [transcript_row(episode, seat) for episode in episodes for seat in (0, 1)]
    rows, weights, counts = merged(played, [np.array(row.turn) * 0.0 + 1.0 for row in played], [1] * len(played))
    weights[0] = weights[0] * -1.0
    weights = [np.where(np.array(row.turn) == NOT_OURS, 0.0, w) for row, w in zip(rows, weights, strict=True)]
    pairs = [(row.prompt, row.completion) for row in rows]

    def objective():
        return sum(float((w * s).sum()) for w, s in zip(weights, token_log_probs(model, pairs), strict=True))

    before, start = objective(), [p.detach().clone() for p in model.parameters()]
    experience = Experience(rows, weights, counts, len(played))
    EpisodeTrainer(model, tokenizer, StepSettings(1, 1e-3, on_cpu=True), tmp_path, lambda step: experience).train()
    model.eval()
    assert any(not torch.equal(p, q) for p, q in zip(model.parameters(), start, strict=True))
    assert objective() > before + 1.0
