"""Which architectures do as their attention mask and positions say, declared: nobody tries it out.

In those a token's state depends on the token, its position, and the states of the tokens that its mask lets it see, and
on nothing else. So transcripts that begin alike can share a beginning, and several continuations can stand side by side
in one row. Never in the list: layers that read their neighbours in the row (linear attention, state spaces,
convolutions), ALiBi, whose distances are slots, and attention in chunks of slots. What is not in the list is run as
plain rows, which is slower and always right.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import PreTrainedConfig

LAYERED = frozenset(
    {
        *("cohere2", "exaone4", "gemma2", "gemma3_text", "gemma3n_text", "gemma4_text", "gpt_oss", "ministral"),
        *("olmo3", "qwen2", "qwen2_moe", "qwen3", "smollm3", "vaultgemma"),
    }
)
"""Names of the architectures whose config tells each layer's kind, and whose model takes a mask for each kind."""

ONE_WINDOW = frozenset({"ministral3", "mistral", "mixtral", "phi3", "phimoe", "qwen3_moe", "starcoder2"})
"""Those whose layers all have the config's window, or none."""

UNLIMITED = frozenset(
    {
        *("apertus", "arcee", "cohere", "ernie4_5", "gemma", "glm", "glm4", "gpt2", "gpt_neox", "gptj", "granite"),
        *("granitemoe", "helium", "hunyuan_v1_dense", "llama", "nemotron", "olmo", "olmo2", "olmoe", "phi"),
        *("seed_oss", "stablelm"),
    }
)
"""Those whose layers all see every earlier token."""

RECURRENT = frozenset({"olmo_hybrid", "qwen3_5_moe_text", "qwen3_5_text", "qwen3_next"})
"""Those with gated delta nets, which go on from a state, between layers that see every earlier token."""

MULTIPLIED, DIVIDED = frozenset({"cohere", "cohere2"}), frozenset({"granite", "granitemoe"})
"""Those that multiply the head's output by `logit_scale`, and those that divide it by `logits_scaling`."""

CAPPED = frozenset({"gemma2", "gemma3_text", "gemma3n_text", "gemma4_text", "vaultgemma"})
"""Those that keep the head's output within `final_logit_softcapping`, where the config has one."""

SEEING = {"gemma3", "gemma4", "qwen3_5", "qwen3_5_moe"}
"""Names of models that also see or hear, and hand what they are given to a text model that is listed here."""

_KINDS = {"full_attention", "sliding_attention"}
_MASKED = {"eager", "sdpa"}
"""Ways to compute attention that take a mask with an entry for every pair of tokens; flash kernels do not."""
_STRETCHED = {"dynamic", "longrope"}
"""Rotary embeddings whose angle at one position depends on the longest position of the pass."""


def windows(config: PreTrainedConfig) -> dict[str, int | None] | None:
    """How many positions back each kind of layer sees, its own included, by transformers' name of the kind.

    A window of None is none: every earlier token. The answer is None for a model that does not do as its mask and
    positions say.

    Args:
        config: Of a model that exists: only then it tells how attention is computed.
    """
    text: Any = config.get_text_config()
    name, kinds = text.model_type, set(getattr(text, "layer_types", None) or ())
    if text._attn_implementation not in _MASKED or _rope_kinds(text) & _STRETCHED or _reads_both_ways(text):
        return None
    if text is not config and config.model_type not in SEEING:
        return None
    window = getattr(text, "sliding_window", None)
    if name in LAYERED and kinds and kinds <= _KINDS:
        return {kind: window if kind == "sliding_attention" else None for kind in sorted(kinds)}
    if name in ONE_WINDOW:
        return {"full_attention": None} if window is None else {"sliding_attention": window}
    return {"full_attention": None} if name in UNLIMITED else None


def attends_to_everything(config: PreTrainedConfig) -> bool:
    """Whether a config that is not listed says that each layer sees all earlier tokens, at positions that stay.

    Not proof enough for a tree or a mask; enough to try whether keys may be kept (`exactness`).

    Args:
        config: Of any model.
    """
    text: Any = config.get_text_config()
    if _rope_kinds(text) & _STRETCHED:
        return False
    layers = getattr(text, "layer_types", None)
    if layers is not None:
        return all(kind == "full_attention" for kind in layers)
    return not any("window" in name and value for name, value in text.to_dict().items())


def recurrent_layers(config: PreTrainedConfig) -> tuple[int, ...]:
    """Which layers go on from a state, in a model whose others do as mask and positions say; none in any other model.

    Args:
        config: As for `windows`.
    """
    text: Any = config.get_text_config()
    kinds = getattr(text, "layer_types", None) or ()
    if text.model_type not in RECURRENT or not set(kinds) <= {"linear_attention", "full_attention"}:
        return ()
    if text._attn_implementation not in _MASKED or _rope_kinds(text) & _STRETCHED:
        return ()
    if text is not config and config.model_type not in SEEING:
        return ()
    return tuple(layer for layer, kind in enumerate(kinds) if kind == "linear_attention")


def lent_layers(config: PreTrainedConfig) -> frozenset[int]:
    """Which layers have their keys and values read by later layers too: the last of each kind that has its own."""
    text: Any = config.get_text_config()
    readers = getattr(text, "num_kv_shared_layers", None) or 0
    own = list(getattr(text, "layer_types", None) or ())[: text.num_hidden_layers - readers]
    return frozenset(len(own) - 1 - own[::-1].index(kind) for kind in set(own)) if readers else frozenset()


def declared(config: PreTrainedConfig) -> bool:
    """Whether an architecture is in the lists above, so that `logits_of` does as its last lines.

    Args:
        config: As for `windows`.
    """
    return windows(config) is not None or bool(recurrent_layers(config))


def logits_of(model: Any, states: torch.Tensor) -> torch.Tensor:
    """The logits a model makes of what it hands to its head, as its own last lines would, [..., V].

    Args:
        model: One that is `declared`.
        states: [..., hidden].
    """
    config = model.config.get_text_config()
    logits: torch.Tensor = model.get_output_embeddings()(states)
    if config.model_type in MULTIPLIED:
        logits = logits * config.logit_scale
    elif config.model_type in DIVIDED:
        logits = logits / config.logits_scaling
    elif config.model_type in CAPPED and config.final_logit_softcapping is not None:
        logits = torch.tanh(logits / config.final_logit_softcapping) * config.final_logit_softcapping
    return logits


def _reads_both_ways(config: Any) -> bool:
    """Whether a text token sees later ones; "vision" says that the parts of one picture see each other."""
    both_ways = getattr(config, "use_bidirectional_attention", None) not in (None, False, "vision")
    return both_ways or not getattr(config, "is_causal", True)


def _rope_kinds(config: Any) -> set[str | None]:
    """The kinds of rotary embedding of a model's layers; some configs have one for each kind of layer."""
    rope = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    return {part.get("rope_type") for part in (rope, *rope.values()) if isinstance(part, dict)}
