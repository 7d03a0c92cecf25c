"""With our masks and positions, tokens side by side are what they are in rows of their own."""

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, DynamicCache

from equipoise.engines.architectures import LAYERED, ONE_WINDOW, UNLIMITED, windows
from equipoise.engines.masks import attention_masks
from tests.engines.trees import WINDOW, tiny

DECLARED = sorted(LAYERED | ONE_WINDOW | UNLIMITED)
TOKENS = (3, 4, 5, 6, 7, 8, 9, 10, 11, 12, *(20, 21, 22, 23), *(30, 31))
PATHS = (range(10), (*range(6), *range(10, 14)), (*range(8), 14, 15))
"""Where the tokens of three sequences stand that begin alike: the second leaves the first after six, the third after
eight."""


def side_by_side():
    """Token ids and positions [1, M], and which token sees which, [1, M, M]."""
    positions, visible = torch.zeros(1, len(TOKENS), dtype=torch.long), torch.zeros(1, 16, 16, dtype=torch.bool)
    for path in PATHS:
        for depth, place in enumerate(path):
            positions[0, place] = depth
            visible[0, place, list(path[: depth + 1])] = True
    return torch.tensor([TOKENS]), positions, visible


@torch.no_grad()
def assert_same_logits(model, logits):
    """Logits [M, V] of the tokens side by side are those of a row for each sequence."""
    for path in PATHS:
        row = model(input_ids=torch.tensor([[TOKENS[place] for place in path]]), use_cache=False).logits[0]
        assert row.std() > 0.3
        torch.testing.assert_close(logits[list(path)], row, atol=2e-4, rtol=0.0)


@pytest.mark.parametrize("name", DECLARED)
@torch.no_grad()
def test_tokens_side_by_side_have_the_logits_of_rows(name):
    model = tiny(name)
    ids, positions, visible = side_by_side()
    mask = attention_masks(model, visible, positions, positions)
    logits = model(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False).logits[0]
    assert_same_logits(model, logits)


@pytest.mark.parametrize("name", ["llama", "mistral", "gemma3_text", "gemma4_text", "gpt_oss"])
@torch.no_grad()
def test_a_window_is_over_positions_wherever_the_cache_holds_a_key(name):
    model, cache = tiny(name), DynamicCache()
    ids, positions, visible = side_by_side()
    parts = []
    for start, end in ((0, 8), (8, 16)):
        mask = attention_masks(model, visible[:, start:end, :end], positions[:, start:end], positions[:, :end])
        given = dict(input_ids=ids[:, start:end], position_ids=positions[:, start:end], attention_mask=mask)
        parts.append(model(**given, past_key_values=cache, use_cache=True).logits[0])
    assert_same_logits(model, torch.cat(parts))


@pytest.mark.parametrize("name", ["mistral", "gemma3_text", "qwen2"])
@torch.no_grad()
def test_the_window_matters_to_what_is_compared(name):
    model, wide = tiny(name), tiny(name, sliding_window=WINDOW + 1)
    row = torch.tensor([TOKENS[:10]])
    assert not torch.allclose(model(input_ids=row).logits, wide(input_ids=row).logits, atol=1e-2)


@pytest.mark.parametrize("name", ["gemma3", "gemma4"])
@torch.no_grad()
def test_a_model_that_also_sees_hands_masks_to_its_text_model(name):
    vision = dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=1, head_dim=16)
    text = tiny(f"{name}_text").config
    config = AutoConfig.for_model(
        name, text_config=text.to_dict(), vision_config=dict(vision, image_size=28, patch_size=14), audio_config=None
    )
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).eval()
    ids, positions, visible = side_by_side()
    mask = attention_masks(model, visible, positions, positions)
    assert_same_logits(model, model(input_ids=ids, attention_mask=mask, position_ids=positions).logits[0])


def test_a_mask_has_the_models_precision_and_one_entry_a_pair():
    model = tiny("llama").to(torch.bfloat16)
    _, positions, visible = side_by_side()
    mask = attention_masks(model, visible, positions, positions)
    assert (mask.dtype, mask.shape) == (torch.bfloat16, (1, 1, 16, 16))
    assert torch.equal(mask[:, 0] == 0, visible)
    assert mask.min() == torch.finfo(torch.bfloat16).min


def test_kinds_of_layers_have_a_mask_each_and_a_single_kind_has_one():
    _, positions, visible = side_by_side()
    both = attention_masks(tiny("gemma3_text"), visible, positions, positions)
    assert sorted(both) == ["full_attention", "sliding_attention"]
    assert torch.equal(both["full_attention"][:, 0] == 0, visible)
    near = positions[:, :, None] - positions[:, None, :] < WINDOW
    assert torch.equal(both["sliding_attention"][:, 0] == 0, visible & near)
    one = attention_masks(tiny("qwen3", layer_types=["full_attention"] * 4), visible, positions, positions)
    assert torch.equal(one[:, 0] == 0, visible)
    assert torch.equal(attention_masks(tiny("mistral"), visible, positions, positions)[:, 0] == 0, visible & near)


LINEAR = dict(linear_num_key_heads=2, linear_num_value_heads=2, linear_key_head_dim=8, linear_value_head_dim=8)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("qwen3_5_text", dict(LINEAR, layer_types=["linear_attention", "full_attention"] * 2)),
        ("mamba", dict(state_size=4)),
        ("recurrent_gemma", dict(lru_width=32)),
        ("bloom", dict(n_layer=2, n_head=2)),
        ("llama", dict(rope_parameters={"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0})),
        ("gemma3_text", dict(use_bidirectional_attention=True)),
        ("llama", dict(attn_implementation="flex_attention")),
    ],
)
def test_what_does_not_do_as_its_mask_says_is_declared_to_take_rows(name, changes):
    assert windows(tiny(name, **changes).config) is None
