"""Tiny random models of many architectures, and sequences that begin alike."""

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from equipoise.seeds import Seed, keys

WINDOW, VOCABULARY = 5, 100
_SMALL = dict(
    vocab_size=VOCABULARY,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=4,
    num_attention_heads=2,
    num_key_value_heads=1,
    head_dim=16,
    max_position_embeddings=128,
    initializer_range=0.3,
    bos_token_id=None,
    eos_token_id=None,
    pad_token_id=0,
    sliding_window=WINDOW,
    use_sliding_window=True,
    layer_types=["sliding_attention", "full_attention"] * 2,
)
_EXPERTS = dict(
    num_experts=4,
    num_local_experts=4,
    num_experts_per_tok=2,
    moe_intermediate_size=32,
    shared_expert_intermediate_size=32,
)
_SHARED = dict(hidden_size_per_layer_input=8, vocab_size_per_layer_input=VOCABULARY, num_kv_shared_layers=2)
_RECURRENT = dict(
    initializer_range=0.2,
    linear_num_key_heads=2,
    linear_num_value_heads=4,
    linear_key_head_dim=16,
    linear_value_head_dim=16,
    layer_types=["linear_attention", "full_attention"] * 2,
)
_OWN = {
    **{name: _RECURRENT for name in ("olmo_hybrid", "qwen3_5_moe_text", "qwen3_5_text", "qwen3_next")},
    "cohere": dict(logit_scale=3.0),
    "cohere2": dict(logit_scale=3.0),
    "gemma2": dict(final_logit_softcapping=2.0, attn_logit_softcapping=2.0, query_pre_attn_scalar=16),
    "gemma3_text": dict(final_logit_softcapping=2.0, query_pre_attn_scalar=16),
    "gemma3n_text": dict(
        _SHARED,
        laurel_rank=4,
        intermediate_size=[48] * 4,
        activation_sparsity_pattern=[0.5, 0.5, 0.0, 0.0],
        final_logit_softcapping=2.0,
    ),
    "gemma4_text": dict(_SHARED, global_head_dim=32, final_logit_softcapping=2.0),
    "gpt2": dict(n_embd=32, n_layer=2, n_head=2, n_positions=128),
    "gptj": dict(n_embd=32, n_layer=2, n_head=2, n_positions=128, rotary_dim=8),
    "granitemoe": dict(logits_scaling=3.0),
    "hunyuan_v1_dense": dict(rope_parameters={"rope_type": "default", "rope_theta": 1e4}),
    "vaultgemma": dict(final_logit_softcapping=2.0, query_pre_attn_scalar=16),
    "granite": dict(logits_scaling=3.0, attention_multiplier=0.3, residual_multiplier=0.7, embedding_multiplier=2.0),
}


def tiny(name, seed=0, **changes):
    """A random model of an architecture with four layers, windows of five tokens where it has windows."""
    known = {
        **_SMALL,
        **(_EXPERTS if "moe" in name or name in ("mixtral", "gpt_oss", "qwen3_next") else {}),
        **_OWN.get(name, {}),
    }
    if "layer_types" not in AutoConfig.for_model(name).to_dict():
        del known["layer_types"]
    config = AutoConfig.for_model(name, **{**known, **changes})
    config._experts_implementation = "eager"  # the others know no double precision
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return AutoModelForCausalLM.from_config(config).eval()


def each(counts, seed=0):
    """Keys of so many replies to each prompt."""
    return [keys(Seed(seed), [number] * count, range(count)) for number, count in enumerate(counts)]
