"""A step's passes: trees where the architecture allows it, rows where not, bounded, with one gradient."""

import os
import socket
from dataclasses import replace

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import TrainerCallback

from equipoise.engines import tree_pass
from equipoise.training.adapters import FIRST, SECOND
from equipoise.training.loss import Example
from equipoise.training.passes import RowPass, TreePass, passes
from equipoise.training.play import Experience
from equipoise.training.rows import Row
from equipoise.training.trainer import EpisodeTrainer, StepSettings
from tests.engines.trees import VOCABULARY, tiny

TREES = ["llama", "qwen3", "gemma3", "gemma4"]


def shared(count=12, seed=0, adapter=""):
    """Examples that begin with the same rules and go on from one another's play, a third of their tokens weighed."""
    rng = np.random.default_rng(seed)
    made = [tuple(rng.integers(5, 600, size=40).tolist())]
    while len(made) < count:
        before = made[rng.integers(len(made))]
        start = int(rng.integers(20, len(before)))
        made.append(before[:start] + tuple(rng.integers(5, 600, size=int(rng.integers(3, 12))).tolist()))
    return [Example(ids, rng.normal(size=len(ids)) * (rng.random(len(ids)) < 0.3), adapter) for ids in made]


def adapted(model, rank=4):
    """A model with an adapter that differs from nothing."""
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj"]
    model = get_peft_model(model, LoraConfig(r=rank, target_modules=targets, task_type="CAUSAL_LM"))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def gradient(model, parts, temperature=1.0):
    """The gradient of some passes, one after the other, by parameter."""
    model.zero_grad()
    for part in parts:
        part.loss(model, temperature).backward()
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return found


def fed(parts):
    """Tokens that some passes run, padding not counted."""
    trees = [tree for part in parts if isinstance(part, TreePass) for tree in part.trees]
    rows = [example.tokens for part in parts if isinstance(part, RowPass) for example in part.examples]
    return sum(map(len, trees)) + sum(map(len, rows))


def apart(one, other):
    """Length of the difference of two gradients relative to the other's length."""
    assert one.keys() == other.keys()
    length = sum(float(g.double().square().sum()) for g in other.values()) ** 0.5
    assert length > 1e-2
    return sum(float((one[n] - other[n]).double().square().sum()) for n in other) ** 0.5 / length


@pytest.mark.parametrize("most", [10**6, 60])
@pytest.mark.parametrize("architecture", TREES)
def test_the_gradient_of_trees_is_that_of_rows(new_model, architecture, most):
    model, examples = new_model(architecture).double(), shared()
    parts = passes(model, examples, most)
    assert all(isinstance(part, TreePass) for part in parts)
    rows = [RowPass([example]) for example in examples]
    assert apart(gradient(model, parts, 0.7), gradient(model, rows, 0.7)) < 1e-5


@pytest.mark.parametrize("architecture", TREES)
def test_the_gradient_of_an_adapter_is_that_of_rows(new_model, architecture):
    model, examples = adapted(new_model(architecture)), shared()
    found, expected = gradient(model, passes(model, examples, 100)), gradient(model, [RowPass(examples)])
    assert all("lora_" in name for name in found)
    assert apart(found, expected) < 1e-5


@pytest.mark.parametrize("architecture", ["llama", "gemma3", "gemma4"])
def test_an_adapter_on_activations_that_are_computed_twice_has_the_same_gradient(new_model, architecture):
    model, examples = adapted(new_model(architecture)), shared()
    expected = gradient(model, [RowPass(examples)])
    model.enable_input_require_grads()
    model.base_model.model.activation_checkpointing_enable({"use_reentrant": False})
    model.train()
    assert apart(gradient(model, passes(model, examples, 100)), expected) < 1e-5


def test_linear_attention_takes_rows(new_model):
    model = new_model("qwen3_5")
    examples = [replace(example, weights=np.ones(len(example.tokens))) for example in shared()]
    parts = passes(model, examples, 100)
    assert len(parts) > 1
    assert all(isinstance(part, RowPass) for part in parts)
    assert sorted(e.tokens for part in parts for e in part.examples) == sorted(e.tokens for e in examples)
    assert apart(gradient(model, parts), gradient(model, [RowPass([example]) for example in examples])) < 1e-5


def rows(seed=0):
    """Examples of unequal length whose tokens are in a tiny model's vocabulary, a third of them weighed."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(6, 20, size=5)
    return [
        Example(tuple(rng.integers(1, VOCABULARY, size=length).tolist()), np.where(rng.random(length) < 0.4, 1.5, 0.0))
        for length in lengths
    ]


def by_hand(model, examples, temperature):
    """-sum of weight * log-probability of every row by itself, from the logits of all its tokens."""
    total = torch.zeros((), dtype=torch.float64)
    for example in examples:
        logits = model(input_ids=torch.tensor([example.tokens]), use_cache=False).logits[0, :-1].double()
        scores = torch.log_softmax(logits / temperature, dim=-1)
        chosen = scores[torch.arange(len(scores)), torch.tensor(example.tokens[1:])]
        total -= (torch.from_numpy(example.weights[1:]) * chosen).sum()
    return total


@pytest.mark.parametrize("name", ["qwen3_5_text", "gemma2", "bloom"])
@pytest.mark.parametrize("nodes", [1, 3, 10**6])
def test_rows_have_no_more_logits_than_stated_at_a_time_and_the_gradient_by_hand(monkeypatch, name, nodes):
    model, examples = tiny(name).double(), rows()
    model.zero_grad()
    by_hand(model, examples, 0.7).backward()
    expected = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    monkeypatch.setattr(tree_pass, "LOGITS", nodes * VOCABULARY)
    seen = []
    model.get_output_embeddings().register_forward_hook(lambda module, given, out: seen.append(out.shape[:-1].numel()))
    assert apart(gradient(model, [RowPass(examples)], 0.7), expected) < 1e-6
    weighed = sum(int(np.count_nonzero(example.weights[1:])) for example in examples)
    assert max(seen) == (weighed if name == "bloom" else min(nodes, weighed))  # nobody declares what bloom's head does


@pytest.mark.parametrize("name", ["qwen3_5_text", "bloom"])
def test_rows_without_weights_have_a_gradient_of_zero(name):
    model, (first, *_) = tiny(name), rows()
    found = gradient(model, [RowPass([replace(first, weights=np.zeros(len(first.tokens)))])])
    assert found
    assert all(float(g.abs().max()) == 0.0 for g in found.values())


def test_rows_of_different_adapters_are_never_in_one_tree(new_model):
    model = adapted(new_model())
    model.add_adapter(SECOND, model.peft_config[FIRST])
    examples = [*shared(), *(replace(example, adapter=SECOND) for example in shared())]
    parts = passes(model, examples, 10**6)
    assert [part.adapter for part in parts] == ["", SECOND]
    (first,), (second,) = (part.trees for part in parts)
    assert first.tokens.tolist() == second.tokens.tolist()


@pytest.mark.parametrize("most", [1, 45, 100, 1000])
@pytest.mark.parametrize("architecture", ["llama", "qwen3_5"])
def test_a_pass_has_at_most_so_many_tokens_or_one_row(new_model, architecture, most):
    for part in passes(new_model(architecture), shared(), most):
        if isinstance(part, TreePass):
            lengths = [len(tree) for tree in part.trees]
        else:
            lengths = [len(example.tokens) for example in part.examples]
        assert len(lengths) * max(lengths) <= most or len(lengths) == 1


def test_a_step_without_rows_has_no_passes(new_model):
    assert passes(new_model(), [], 100) == []


def test_an_agent_whose_rows_weigh_nothing_still_has_a_gradient(new_model):
    model = adapted(new_model())
    examples = [Example(example.tokens, np.zeros(len(example.tokens))) for example in shared()]
    found = gradient(model, passes(model, examples, 100))
    assert len(found) == sum(p.requires_grad for p in model.parameters())
    assert not any(g.any() for g in found.values())


@pytest.mark.parametrize("architecture", ["llama", "qwen3_5"])
def test_tokens_without_a_gradient_are_not_run(new_model, architecture):
    model, examples = new_model(architecture), shared()
    idle = [replace(example, weights=0 * example.weights) for example in shared(seed=1)]
    tails = [Example(e.tokens + (7,) * 9, np.append(e.weights, np.zeros(9))) for e in examples]
    parts = passes(model, tails + idle, 10**6)
    assert fed(parts) == fed(passes(model, examples, 10**6))
    whole = RowPass(tails + idle)
    assert apart(gradient(model, parts), gradient(model, [whole])) < 1e-5


class _Capture(TrainerCallback):
    """Copies the gradient as the optimizer is about to use it."""

    def on_pre_optimizer_step(self, args, state, control, model=None, **kwargs):
        self.found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def one_of_two(rank, folder, port):
    """A step of one of two processes, whose rows and number of passes are its own; saves the gradients."""
    names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in names.items()})
    torch.set_num_threads(1)
    examples = shared(seed=rank)
    rows = [Row(e.tokens[:1], e.tokens[1:], (0,) * (len(e.tokens) - 1)) for e in examples]
    step = Experience(rows, [e.weights[1:] for e in examples], np.ones(len(rows), dtype=int), 1)
    settings = StepSettings(1, 1e-12, clip=0.0, pass_tokens=60 if rank else 10**6, on_cpu=True)
    for kind, build in KINDS.items():
        capture = _Capture()
        changes = dict(callbacks=[capture], ddp_backend="gloo", ddp_timeout=60)
        EpisodeTrainer(build(), None, settings, folder / f"{kind}-{rank}", lambda _: step, **changes).train()
        torch.save(capture.found, folder / f"{kind}-{rank}.pt")
    torch.distributed.destroy_process_group()


KINDS = {
    "whole": lambda: tiny("gemma3_text", vocab_size=600),
    "adapter": lambda: adapted(tiny("llama", vocab_size=600)),
}


@pytest.mark.slow
def test_two_processes_with_unlike_numbers_of_passes_step_by_the_mean_of_their_gradients(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(one_of_two, (tmp_path, port), nprocs=2)
    for kind, build in KINDS.items():
        model = build()
        assert [len(passes(model, shared(seed=rank), 60 if rank else 10**6)) > 1 for rank in (0, 1)] == [False, True]
        own = [gradient(model, [RowPass(shared(seed=rank))]) for rank in (0, 1)]
        mean = {name: (own[0][name] + own[1][name]) / 2 for name in own[0]}
        for rank in (0, 1):
            assert apart(torch.load(tmp_path / f"{kind}-{rank}.pt"), mean) < 1e-5
