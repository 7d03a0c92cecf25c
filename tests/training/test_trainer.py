"""One step of training: its gradient is the policy gradient, written out by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import TrainerCallback

from equipoise.engines.plain_scoring import token_log_probs
from equipoise.errors import UserError
from equipoise.training import run
from equipoise.training.loss import examples_of
from equipoise.training.passes import RowPass, passes
from equipoise.training.play import Experience
from equipoise.training.recipe import load_recipe
from equipoise.training.rows import NOT_OURS, Row, merged
from equipoise.training.trainer import EpisodeTrainer, StepSettings


class _Capture(TrainerCallback):
    """Copies the gradients as the optimizer is about to use them."""

    def __init__(self):
        self.gradients = []

    def on_pre_optimizer_step(self, args, state, control, model=None, **kwargs):
        self.gradients.append({n: p.grad.detach().clone() for n, p in model.named_parameters() if p.grad is not None})


def gradient(model, tokenizer, experience, out, *, reference=None, kl=0.0, **settings):
    """The gradient of one EpisodeTrainer step, before clipping, and the trainer."""
    settings = StepSettings(1, 1e-12, clip=0.0, on_cpu=True, **settings)
    capture = _Capture()
    trainer = EpisodeTrainer(
        model, tokenizer, settings, out, lambda step: experience, reference=reference, kl=kl, callbacks=[capture]
    )
    trainer.train()
    (captured,) = capture.gradients
    return captured, trainer


def by_hand(model, loss):
    """The gradient of a loss over rows, by plain autograd."""
    model.eval()
    model.zero_grad()
    loss().backward()
    return {n: p.grad.detach().clone() for n, p in model.named_parameters() if p.grad is not None}


def log_probs(model, row, temperature=1.0):
    """Log-probability of every completion token, differentiable, [L]."""
    ids = torch.tensor([row.prompt + row.completion])
    scores = torch.log_softmax(model(input_ids=ids).logits[0].float() / temperature, dim=-1)
    start = len(row.prompt) - 1
    return scores[start:-1].gather(1, ids[0, start + 1 :, None])[:, 0]


def policy_gradient(model, experience, temperature=1.0):
    """-(1/episodes) * sum over rows and tokens of weight * grad log pi."""

    def loss():
        terms = [
            (torch.tensor(w) * log_probs(model, row, temperature)).sum()
            for row, w in zip(experience.rows, experience.weights, strict=True)
        ]
        return -sum(terms) / experience.episodes

    return by_hand(model, loss)


def assert_same(left, right, tolerance=1e-6):
    """Two gradients agree relative to their norm."""
    assert left.keys() == right.keys()
    difference = np.sqrt(sum(float((left[n] - right[n]).square().sum()) for n in left))
    size = np.sqrt(sum(float(g.square().sum()) for g in right.values()))
    assert size > 1e-3
    assert difference / size < tolerance


def made(count, seed=0, vocabulary=600):
    """Rows of unequal length, replies and observations between them, with a random weight per own token."""
    rng = np.random.default_rng(seed)
    rows, weights = [], []
    for _ in range(count):
        prompt = tuple(rng.integers(5, vocabulary, size=rng.integers(3, 12)).tolist())
        turn = [0] * int(rng.integers(1, 4))
        for number in range(1, int(rng.integers(1, 4))):
            turn += [NOT_OURS] * int(rng.integers(1, 5)) + [number] * int(rng.integers(1, 4))
        completion = tuple(rng.integers(5, vocabulary, size=len(turn)).tolist())
        rows.append(Row(prompt, completion, tuple(turn)))
        weights.append(np.where(np.array(turn) == NOT_OURS, 0.0, rng.normal(size=len(turn)) * 5))
    return rows, weights


def as_sampled(model, rows):
    """The rows with the log-probabilities that sampling them from the model would have recorded."""
    scores = token_log_probs(model, [(row.prompt, row.completion) for row in rows])
    recorded = [np.where(np.array(row.turn) == NOT_OURS, 0.0, s) for row, s in zip(rows, scores, strict=True)]
    return [replace(row, log_probs=tuple(s.tolist())) for row, s in zip(rows, recorded, strict=True)]


def experience_of(rows, weights, counts=None):
    return Experience(rows, weights, np.ones(len(rows), dtype=int) if counts is None else counts, 3 * len(rows))


@pytest.fixture
def model(new_model):
    return new_model()


@pytest.fixture
def reference(new_model):
    other = new_model(seed=1)
    return lambda pairs: token_log_probs(other, pairs)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("count", [1, 4, 7])
def test_one_step_is_the_policy_gradient(model, tokenizer, tmp_path, count, temperature):
    experience = experience_of(*made(count))
    captured, _ = gradient(model, tokenizer, experience, tmp_path, temperature=temperature)
    assert_same(captured, policy_gradient(model, experience, temperature))


@pytest.mark.parametrize("pass_tokens", [1, 20, 50, 100])
def test_passes_do_not_change_the_gradient(model, tokenizer, tmp_path, pass_tokens):
    experience = experience_of(*made(9))
    assert len(passes(model, examples_of(experience), pass_tokens)) > 1
    captured, _ = gradient(model, tokenizer, experience, tmp_path, pass_tokens=pass_tokens)
    assert_same(captured, policy_gradient(model, experience))


def test_the_other_players_tokens_are_never_trained(model, tokenizer, tmp_path):
    rows, weights = made(6)
    leaking = [np.where(np.array(r.turn) == NOT_OURS, 100.0, w) for r, w in zip(rows, weights, strict=True)]
    assert any(NOT_OURS in row.turn for row in rows)
    captured, _ = gradient(model, tokenizer, experience_of(rows, leaking), tmp_path)
    assert_same(captured, policy_gradient(model, experience_of(rows, weights)))


def test_merged_rows_give_the_gradient_of_all_rows(model, tokenizer, tmp_path):
    rows, _ = made(4)
    rng = np.random.default_rng(1)
    drawn = [rows[i] for i in rng.integers(4, size=20)]
    weights = [np.where(np.array(r.turn) == NOT_OURS, 0.0, rng.normal(size=len(r.turn))) for r in drawn]
    distinct, sums, counts = merged(drawn, weights, [1] * len(drawn))
    assert (len(distinct), counts.sum()) == (4, 20)
    captured, _ = gradient(model, tokenizer, Experience(distinct, sums, counts, 20), tmp_path)
    assert_same(captured, policy_gradient(model, Experience(drawn, weights, np.ones(20, dtype=int), 20)))


def test_merging_leaves_the_callers_weights_alone():
    row = Row((1,), (2, 3), (0, 0))
    weights = [np.array([1.0, 2.0]), np.array([10.0, 20.0])]
    _, sums, counts = merged([row, row], weights, [1, 1])
    assert (sums[0].tolist(), counts.tolist()) == ([11.0, 22.0], [2])
    assert [w.tolist() for w in weights] == [[1.0, 2.0], [10.0, 20.0]]


def test_the_folded_penalty_is_the_gradient_of_the_k3_divergence(model, tokenizer, reference, tmp_path):
    rows, weights = made(5)
    weights = [w * 0.0 for w in weights]
    counts = np.array([1, 2, 3, 1, 5])
    fixed = [torch.tensor(r) for r in reference([(row.prompt, row.completion) for row in rows])]

    def penalty():
        terms = []
        for row, other, count in zip(rows, fixed, counts, strict=True):
            ratio = other - log_probs(model, row)
            ours = torch.tensor(row.turn) != NOT_OURS
            terms.append(int(count) * ((ratio.exp() - ratio - 1) * ours).sum())
        return 0.3 * sum(terms) / 12

    experience = Experience(as_sampled(model, rows), weights, counts, 12)
    captured, trainer = gradient(model, tokenizer, experience, tmp_path, reference=reference, kl=0.3)
    assert_same(captured, by_hand(model, penalty), 1e-5)  # the log-probabilities recorded are of single precision
    own = sum(int(c) * sum(t != NOT_OURS for t in row.turn) for c, row in zip(counts, rows, strict=True))
    assert trainer.last_metrics["kl"] == pytest.approx(float(penalty().detach()) / 0.3 * 12 / own, rel=1e-4)


def test_the_penalty_of_the_policy_against_itself_is_zero(model, tokenizer, tmp_path):
    rows, weights = made(4)
    experience = experience_of(as_sampled(model, rows), weights)
    captured, trainer = gradient(
        model, tokenizer, experience, tmp_path, reference=lambda pairs: token_log_probs(model, pairs), kl=5.0
    )
    assert_same(captured, policy_gradient(model, experience))
    assert trainer.last_metrics["kl"] == pytest.approx(0.0, abs=1e-9)


def test_a_penalty_needs_the_log_probabilities_of_sampling(model, tokenizer, reference, tmp_path):
    with pytest.raises(ValueError, match="a row has no log-probabilities"):
        gradient(model, tokenizer, experience_of(*made(2)), tmp_path, reference=reference, kl=0.1)


def test_a_penalty_needs_a_reference(model, tokenizer, tmp_path):
    with pytest.raises(ValueError, match=r"got kl=0\.1 without a reference"):
        gradient(model, tokenizer, experience_of(*made(2)), tmp_path, kl=0.1)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_activations_that_are_computed_twice_give_the_same_gradient(model, tokenizer, tmp_path):
    experience = experience_of(*made(4))
    captured, _ = gradient(model, tokenizer, experience, tmp_path, gradient_checkpointing=True)
    assert_same(captured, policy_gradient(model, experience))


@pytest.mark.parametrize("architecture", ["gemma3", "gemma4", "qwen3_5"])
def test_the_loss_of_other_architectures_is_the_weighted_log_probability(new_model, architecture):
    model, experience = new_model(architecture), experience_of(*made(5))
    scores = token_log_probs(model, [(row.prompt, row.completion) for row in experience.rows], 0.7)
    expected = -sum(float(w @ s) for w, s in zip(experience.weights, scores, strict=True)) / experience.episodes
    found = sum(part.loss(model, 0.7).item() for part in passes(model, examples_of(experience), 40))
    assert found == pytest.approx(expected, rel=1e-5)


def test_logits_are_computed_where_a_token_weighs_and_nowhere_else(model):
    rows, weights = made(5)
    examples = examples_of(experience_of(rows, weights))
    seen = []
    head = model.get_output_embeddings()
    handle = head.register_forward_hook(lambda module, given, out: seen.append(out.shape[:-1].numel()))
    RowPass(examples).loss(model)
    handle.remove()
    weighing = sum(turn != NOT_OURS for row in rows for turn in row.turn)
    assert [nodes for nodes in seen if nodes] == [weighing]
    assert weighing < sum(len(example.tokens) for example in examples) / 2


def test_rows_without_credit_have_a_gradient_of_zero(model, tokenizer, tmp_path):
    rows, weights = made(3)
    experience = experience_of(rows, [0.0 * w for w in weights])
    captured, _ = gradient(model, tokenizer, experience, tmp_path)
    assert captured
    assert all(float(g.abs().max()) == 0.0 for g in captured.values())


@pytest.mark.parametrize(("warmup_steps", "shares"), [(0, (1, 2 / 3, 1 / 3)), (2, (1 / 3, 2 / 3, 1 / 3))])
def test_steps_are_those_of_adamw_with_clipped_gradients_at_the_rate_of_each(
    new_model, tokenizer, tmp_path, warmup_steps, shares
):
    model, other, rate = new_model(), new_model(), 1e-2
    experiences = [experience_of(*made(4, seed)) for seed in range(3)]
    optimizer = torch.optim.AdamW(other.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=0.0)
    norms = []
    for number, experience in enumerate(experiences):
        optimizer.zero_grad()
        policy_gradient(other, experience)
        norms.append(float(torch.nn.utils.clip_grad_norm_(other.parameters(), 1.0)))
        optimizer.param_groups[0]["lr"] = rate * shares[number]
        optimizer.step()
    assert min(norms) > 1.0
    settings = StepSettings(3, rate, warmup_steps, on_cpu=True)
    EpisodeTrainer(model, tokenizer, settings, tmp_path, experiences.__getitem__).train()
    for (name, left), right, first in zip(
        model.named_parameters(), other.parameters(), new_model().parameters(), strict=True
    ):
        assert torch.allclose(left, right, atol=2e-4), name
        assert not torch.allclose(left, first, atol=1e-2), name


@pytest.mark.parametrize(
    ("warmup_steps", "shares"),
    [
        (0, [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]),
        (1, [0.5, 0.75, 0.5, 0.25, 0.0, 0.0]),
        (3, [0.25, 0.5, 0.5, 0.25, 0.0, 0.0]),
        (9, [0.1, 0.2, 0.3, 0.25, 0.0, 0.0]),
    ],
)
def test_the_rate_rises_from_the_first_step_on_and_falls_to_zero(warmup_steps, shares):
    settings = StepSettings(4, 1.0, warmup_steps)
    assert [settings.rate(step) for step in range(6)] == pytest.approx(shares, abs=1e-12)


class _Logged(TrainerCallback):
    """Keeps the lines that go to the log targets."""

    def __init__(self):
        self.lines = []

    def on_log(self, args, state, control, logs=None, **kwargs):
        self.lines.append((state.global_step, dict(logs)))


def test_a_line_in_the_logs_holds_the_means_of_the_steps_since_the_last(model, tokenizer, tmp_path):
    rows, weights = made(3)
    logged = _Logged()

    def collect(step):
        metrics = {"payoff": float(step), **({"nash_conv": 5.0} if step == 2 else {})}
        return Experience(rows, weights, np.ones(3), 3, metrics)

    settings = StepSettings(4, 1e-3, log_every=2, report_to=("tensorboard",), on_cpu=True)
    EpisodeTrainer(model, tokenizer, settings, tmp_path, collect, callbacks=[logged]).train()
    played = [(step, {k: v for k, v in line.items() if k.startswith("play/")}) for step, line in logged.lines]
    assert played[:2] == [(2, {"play/payoff": 0.5}), (4, {"play/payoff": 2.5, "play/nash_conv": 5.0})]
    assert list(tmp_path.rglob("events.out.tfevents*"))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("adamw", ("adamw_torch_fused", "adamw_torch")),
        ("adamw_8bit", ("adamw_bnb_8bit",)),
        ("paged_adamw", ("paged_adamw_32bit",)),
        ("paged_adamw_8bit", ("paged_adamw_8bit",)),
    ],
)
def test_optimizers_are_those_of_the_library(ours, theirs, tmp_path):
    """AdamW in every case; its moments in full unless asked otherwise."""
    arguments = StepSettings(1, 1e-3, optimizer=ours).arguments(tmp_path)
    assert arguments.optim.value in theirs
    assert (arguments.adam_beta1, arguments.adam_beta2, arguments.weight_decay) == (0.9, 0.99, 0.0)


def test_an_optimizer_that_is_not_installed_is_refused_before_there_is_a_folder(monkeypatch, tmp_path):
    """One line says what to install."""
    monkeypatch.setattr(run, "is_bitsandbytes_available", lambda: False)
    recipe = load_recipe("kuhn_poker/best_response", ["hardware.optimizer=adamw_8bit"])
    with pytest.raises(UserError, match=r"^hardware.optimizer is 'adamw_8bit', .*; pip install bitsandbytes, or use"):
        run.train(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()
