"""One differentiable pass, over token trees or rows: the log-probability of every weighed token, each node run once.

The head and its softmax take as many nodes at a time as `LOGITS` allows, and compute them again in the backward pass if
that is not all of them: with a large vocabulary the logits would be most of a pass's memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.distributed.tensor import DTensor
from torch.utils.checkpoint import checkpoint

from equipoise.engines.architectures import declared, logits_of
from equipoise.engines.masks import attention_masks
from equipoise.engines.token_tree import TokenTree

LOGITS = 1 << 26
"""Most logits at a time: a quarter of a gigabyte in single precision, of which the softmax and its gradient hold a few
copies. With 152 thousand tokens these are the logits of 441 nodes."""


def log_probs(model: Any, trees: Sequence[TokenTree], temperature: float, **given: Any) -> torch.Tensor:
    """Log-probability of every weighed token of some trees, tree by tree in its order, differentiable, [E].

    Args:
        model: A causal language model that `architectures.windows` describes, with or without adapters, or inside what
            several processes wrap it in.
        trees: The rows of the pass, [R].
        temperature: Divides the logits, above 0.
        given: What else the model is called with, such as PEFT's `adapter_names`.
    """
    inner = unwrapped(model)
    device = inner.device
    width = max(len(tree) for tree in trees)
    ids, depths, ends = (torch.from_numpy(part).to(device) for part in _rows(trees, width))
    slots = torch.arange(width, device=device)
    visible = (slots <= slots[:, None]) & (slots[:, None] < ends[:, None, :])  # [R, Q, S]
    given |= {
        "input_ids": ids,
        "position_ids": depths,
        "attention_mask": attention_masks(inner, visible, depths, depths),
    }
    at = np.concatenate([row * width + tree.at for row, tree in enumerate(trees)])
    return log_probs_after(model, given, at, np.concatenate([tree.targets for tree in trees]), temperature)


def log_probs_after(
    model: Any, inputs: dict[str, Any], at: np.ndarray, targets: np.ndarray, temperature: float
) -> torch.Tensor:
    """Log-probability of a token after each of some nodes of a batch, differentiable, [E].

    Logits are computed after these nodes and nowhere else: at most `LOGITS` at a time where the architecture is
    declared and the head is whole, else all at once.

    Args:
        model: Any causal language model, with or without adapters, or inside what several processes wrap it in.
        inputs: What it is called with, of shape [R, M].
        at: The nodes, ascending, as numbers in the flattened batch, [E].
        targets: The token after each, [E].
        temperature: Divides the logits, above 0.
    """
    inner = unwrapped(model)
    nodes, which = (torch.from_numpy(part).to(inner.device) for part in np.unique(at, return_inverse=True))
    tokens = torch.from_numpy(targets).to(inner.device)
    head = inner.get_output_embeddings()
    if isinstance(head.weight, DTensor) or not declared(inner.config):
        return _of(_logits(model, head, inputs, nodes), which, tokens, temperature)
    needed = _states(model, head, inputs).flatten(0, 1)[nodes]  # [n, hidden]
    return _chosen(inner, needed, which, tokens, temperature)


def unwrapped(model: Any) -> Any:
    """The model inside what several processes wrap it in."""
    return getattr(model, "module", model)


def _rows(trees: Sequence[TokenTree], width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tokens, depths and ends, [R, M].

    What fills a row up is its first token again, seen by itself alone: any real state will do, while that of a token
    whose embedding is zero may have a gradient that is no number.
    """
    ids = np.repeat([tree.tokens[:1] for tree in trees], width, axis=1)
    depths = np.zeros_like(ids)
    ends = np.tile(np.arange(1, width + 1), (len(trees), 1))
    for row, tree in enumerate(trees):
        part = row, slice(len(tree))
        ids[part], depths[part], ends[part] = tree.tokens, tree.depths, tree.ends
    return ids, depths, ends


def _states(model: Any, head: torch.nn.Module, inputs: dict[str, Any]) -> torch.Tensor:
    """What a model hands to its head, [R, M, hidden]; the head itself is run on nothing."""
    seen: list[torch.Tensor] = []

    def keep(module: torch.nn.Module, given: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        seen.append(given[0])
        return (given[0][:, :0],)

    handle = head.register_forward_pre_hook(keep)
    try:
        model(**inputs, use_cache=False)
    finally:
        handle.remove()
    (states,) = seen
    return states


def _logits(model: Any, head: torch.nn.Module, inputs: dict[str, Any], nodes: torch.Tensor) -> torch.Tensor:
    """The logits of some nodes, all at once, [n, vocabulary]."""
    handle = head.register_forward_pre_hook(lambda module, seen: (seen[0].flatten(0, 1)[nodes][None],))
    try:
        logits: torch.Tensor = model(**inputs, use_cache=False).logits[0]
    finally:
        handle.remove()
    return logits


def _chosen(
    model: Any, states: torch.Tensor, which: torch.Tensor, targets: torch.Tensor, temperature: float
) -> torch.Tensor:
    """Log-probability of `targets[e]` after the state `which[e]`, ascending, for states [n, hidden]."""

    def some(states: torch.Tensor, which: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return _of(logits_of(model, states), which, targets, temperature)

    step = max(1, LOGITS // model.config.get_text_config().vocab_size)
    if len(states) <= step:
        return some(states, which, targets)
    starts = torch.arange(0, len(states) + step, step, device=which.device)
    bounds = torch.searchsorted(which, starts).tolist()
    parts = [
        checkpoint(some, part, which[a:b] - number * step, targets[a:b], use_reentrant=False)
        for number, (part, a, b) in enumerate(zip(states.split(step), bounds, bounds[1:], strict=False))
    ]
    return torch.cat(parts)


def _of(logits: torch.Tensor, which: torch.Tensor, targets: torch.Tensor, temperature: float) -> torch.Tensor:
    scaled = _full(logits) / temperature
    return scaled[which, targets] - scaled.logsumexp(dim=-1)[which]


def _full(logits: torch.Tensor) -> torch.Tensor:
    """Logits in at least single precision."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
