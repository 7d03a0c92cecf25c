"""A pass over token trees has the log-probabilities and the gradient of separate rows."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from equipoise.engines import tree_pass
from equipoise.engines.architectures import LAYERED, ONE_WINDOW, UNLIMITED
from equipoise.engines.token_tree import trees
from equipoise.engines.tree_pass import log_probs
from tests.engines.trees import VOCABULARY, WINDOW, tiny

DECLARED = sorted(LAYERED | ONE_WINDOW | UNLIMITED)
EXACT = 1e-5


def sequences(count=8, seed=0):
    """Sequences that leave one another at several depths, the longest three windows long, and their weights."""
    rng = np.random.default_rng(seed)
    made = [tuple(rng.integers(1, VOCABULARY, size=3 * WINDOW).tolist())]
    for _ in range(count - 1):
        before = made[rng.integers(len(made))]
        start = int(rng.integers(0, len(before)))
        made.append(before[:start] + tuple(rng.integers(1, VOCABULARY, size=int(rng.integers(2, 8))).tolist()))
    return made, [rng.normal(size=len(ids)) * (rng.random(len(ids)) < 0.6) for ids in made]


def gradient(model, loss):
    """The gradient of a loss, every parameter flattened, [P]."""
    model.zero_grad()
    loss.backward()
    found = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]).double()
    model.zero_grad()
    return found


def by_rows(model, made, weights, temperature):
    """-sum of weight * log-probability, one plain pass a row."""
    total = 0.0
    for ids, weight in zip(made, weights, strict=True):
        logits = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, :-1].double()
        scores = torch.log_softmax(logits / temperature, dim=-1)
        total = total - (torch.tensor(weight[1:]) * scores.gather(1, torch.tensor(ids[1:])[:, None])[:, 0]).sum()
    return total


def by_trees(model, found, temperature):
    """The same by one pass over trees."""
    weights = torch.from_numpy(np.concatenate([tree.weights for tree in found]))
    return -(weights * log_probs(model, found, temperature)).sum()


def apart(one, other):
    """Length of the difference relative to the other's length."""
    assert other.norm() > 1e-2
    return float((one - other).norm() / other.norm())


@pytest.mark.parametrize("name", DECLARED)
def test_the_gradient_is_that_of_separate_rows(name):
    model, (made, weights) = tiny(name).double(), sequences()
    found = trees(made, weights, 20, np.inf)
    assert len({len(tree) for tree in found}) > 1  # a row is filled up
    loss, expected = by_trees(model, found, 0.7), by_rows(model, made, weights, 0.7)
    assert loss.item() == pytest.approx(expected.item(), rel=EXACT)
    assert apart(gradient(model, loss), gradient(model, expected)) < EXACT


@pytest.mark.parametrize("name", ["llama", "qwen3", "gemma3_text", "gemma4_text"])
def test_half_precision_is_off_by_its_own_rounding(name):
    """About as far from the exact gradient as separate rows are in half precision, whose numbers have eight bits."""
    model, (made, weights) = tiny(name), sequences()
    exact = gradient(model, by_rows(model, made, weights, 1.0))
    model.to(torch.bfloat16)
    by_tree = apart(gradient(model, by_trees(model, trees(made, weights, 30, np.inf), 1.0)), exact)
    by_row = apart(gradient(model, by_rows(model, made, weights, 1.0)), exact)
    assert by_tree < min(0.15, 1.5 * by_row)


def test_logits_are_of_nodes_before_weighed_tokens_once_each(monkeypatch):
    model, (made, weights) = tiny("llama"), sequences()
    (tree,) = found = trees(made, weights, 10**6, np.inf)
    seen = []
    model.get_output_embeddings().register_forward_hook(lambda module, given, out: seen.append(out.shape))
    by_trees(model, found, 1.0).backward()
    assert [shape[:-1].numel() for shape in seen] == [0, len(set(tree.at.tolist()))]
    assert len(set(tree.at.tolist())) < len(tree.at)


@pytest.mark.parametrize("nodes", [1, 3, 7])
def test_no_more_logits_than_stated_exist_at_a_time_and_the_gradient_stays(nodes, monkeypatch):
    model, (made, weights) = tiny("gemma2").double(), sequences()
    found = trees(made, weights, 30, np.inf)
    expected = gradient(model, by_trees(model, found, 0.7))
    monkeypatch.setattr(tree_pass, "LOGITS", nodes * VOCABULARY + VOCABULARY // 2)
    seen = []
    model.get_output_embeddings().register_forward_hook(lambda module, given, out: seen.append(out.shape[:-1].numel()))
    assert apart(gradient(model, by_trees(model, found, 0.7)), expected) < 1e-12
    assert max(seen) == nodes
    needed = sum(len(set(tree.at.tolist())) for tree in found)
    assert sum(seen) == 2 * needed  # again in the backward pass


def test_what_the_backward_pass_keeps_of_the_head_does_not_grow_with_the_vocabulary(monkeypatch):
    kept = []
    for vocabulary in (VOCABULARY, 10 * VOCABULARY):
        model, (made, weights) = tiny("llama", vocab_size=vocabulary), sequences()
        monkeypatch.setattr(tree_pass, "LOGITS", vocabulary)
        sizes, own = [], {p.untyped_storage().data_ptr() for p in model.parameters()}

        def keep(tensor, sizes=sizes, own=own):
            sizes.append(0 if tensor.untyped_storage().data_ptr() in own else tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            by_trees(model, trees(made, weights, 30, np.inf), 1.0)
        kept.append(sum(sizes))
    assert kept[0] == kept[1]


@pytest.mark.parametrize("name", ["llama", "gemma3_text", "gemma4_text"])
def test_activations_that_are_computed_twice_give_the_same_gradient(name):
    model, (made, weights) = tiny(name).double(), sequences()
    found = trees(made, weights, 30, np.inf)
    expected = gradient(model, by_trees(model, found, 1.0))
    model.activation_checkpointing_enable({"use_reentrant": False})
    model.train()
    assert apart(gradient(model, by_trees(model, found, 1.0)), expected) < 1e-10


def test_log_probabilities_come_tree_by_tree_in_the_trees_own_order():
    model, (made, weights) = tiny("qwen3"), sequences()
    found = trees(made, weights, 20, np.inf)
    assert len({len(tree) for tree in found}) > 1
    together = log_probs(model, found, 1.0)
    ends = np.cumsum([0, *(len(tree.at) for tree in found)])
    for tree, (start, end) in zip(found, pairwise(ends), strict=True):
        torch.testing.assert_close(log_probs(model, [tree], 1.0), together[start:end], atol=1e-5, rtol=0.0)


def test_a_tree_without_weights_has_a_gradient_of_zero():
    model = tiny("llama")
    (tree,) = trees([(1, 2, 3)], [np.zeros(3)], 10, np.inf)
    by_trees(model, [tree], 1.0).backward()
    assert all(p.grad is not None and not p.grad.any() for p in model.parameters())
