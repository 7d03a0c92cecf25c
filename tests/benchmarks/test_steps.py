"""A step is the same step in every way: its gradient says so."""

import pytest
import torch

from equipoise.models.load import load
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.training.passes import RowPass, passes


@pytest.mark.filterwarnings("ignore")  # of trl and what it imports
def test_trees_rows_and_trl_have_one_gradient(script, tmp_path):
    pytest.importorskip("trl")
    steps, tree = script("steps"), script("tree")
    model, tokenizer = load("tiny")
    rows = tree.as_embedded(LanguageModelPolicy("tiny", model, tokenizer))[:4]
    examples = tree.weighed(rows)
    trainer = steps.trl_trainer(model, tokenizer, len(rows), str(tmp_path))
    trl = steps.TrlPass(trainer, steps.trl_inputs(examples, 1, tokenizer.pad_token_id))
    found = {}
    for name, parts in {"tree": passes(model, examples, 10**9), "rows": [RowPass(examples)], "trl": [trl]}.items():
        steps.step(model, lambda parts=parts: parts)
        found[name] = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]).double()
    for name in ("tree", "trl"):
        cosine = torch.nn.functional.cosine_similarity(found[name], found["rows"], dim=0)
        assert cosine.item() == pytest.approx(1.0, abs=1e-5)


def test_a_decode_step_is_told_apart(script):
    shape = dict(
        vocab_size=200,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
    )
    threads = torch.get_num_threads()
    try:
        found = script("draws").measure(3, 2, shape)
    finally:
        torch.set_num_threads(threads)
    assert len(found) == 2
    assert all(set(one) == {"forward", "drawing", "the rest"} and min(one.values()) > 0 for one in found)
