"""Attention masks for tokens that see what we say they see, in the form that a transformers model takes.

A 4-D mask is taken by these models as it is: its entry for every pair of a query and a key is added to their attention
score, and no causal order of the slots is added to it. A model with several kinds of layers takes one mask for each.
Exact for the architectures that `architectures.windows` declares, with keys of a cache before those of the pass or
without: among them Llama, Qwen 2 and 3, Mistral, Gemma 1 to 4 and gpt-oss, with sliding windows and without.
"""

from __future__ import annotations

import torch
from transformers import PreTrainedModel

from equipoise.engines.architectures import windows

Masks = torch.Tensor | dict[str, torch.Tensor]
"""One mask [U, 1, Q, S] for all layers, or one for each kind of layer, by transformers' name of the kind."""


def attention_masks(model: PreTrainedModel, visible: torch.Tensor, queries: torch.Tensor, keys: torch.Tensor) -> Masks:
    """What to hand to a model as `attention_mask`: 0 where a token is seen, the least number of the dtype elsewhere.

    In a layer with a window a token is seen only if its position is less than the window before the query's. Positions
    are those handed to the model as `position_ids`; a query that sees nothing gets a mean of all values, never NaN.

    Args:
        model: One that `windows` describes, with or without adapters.
        visible: Whether each query may see each key, were there no windows, [U, Q, S].
        queries: Position of each query, [U, Q].
        keys: Position of each key, [U, S]; any number where nobody sees the key.
    """
    kinds = windows(model.config)
    assert kinds is not None, f"a {type(model).__name__} does not do as its mask says"
    masks: dict[int | None, torch.Tensor] = {}
    for window in kinds.values():
        if window not in masks:
            near = visible if window is None else visible & (queries[:, :, None] - keys[:, None, :] < window)
            masks[window] = additive_mask(model, near)
    if len(kinds) == 1:  # such a model may know no kinds
        return masks.popitem()[1]
    return {kind: masks[window] for kind, window in kinds.items()}


def additive_mask(model: PreTrainedModel, visible: torch.Tensor) -> torch.Tensor:
    """One mask for all layers, [U, 1, Q, S]: 0 where a token is seen, the least number of the dtype elsewhere.

    Args:
        model: Any that takes masks with an entry for every pair of tokens.
        visible: Whether each query may see each key, [U, Q, S].
    """
    hidden = ~visible[:, None].to(model.device)
    return torch.zeros(hidden.shape, dtype=model.dtype, device=hidden.device).masked_fill_(
        hidden, torch.finfo(model.dtype).min
    )
