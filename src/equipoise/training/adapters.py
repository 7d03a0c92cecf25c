"""Low-rank adapters: where they go, and two agents that are two adapters on one base, which exists once.

The first agent is the adapter that is always active. While the second one plays, its weights stand in the place of the
first's (`Engine.put`), so no adapter is ever switched and no gradient is switched off with it. In a training step every
row goes through its own adapter (`passes.py`).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from transformers import PreTrainedModel

from equipoise.errors import UserError

FIRST, SECOND = "default", "second"
"""The adapters of the agents in seat 0 and seat 1; "default" is what PEFT calls the only one of a model."""


def add_second(model: Any) -> None:
    """Adds the second agent's adapter, drawn from torch's generator, and lets both adapters be trained.

    Args:
        model: A PEFT model whose only adapter is the first agent's.
    """
    model.add_adapter(SECOND, copy.deepcopy(model.peft_config[FIRST]))
    train_both(model)


def train_both(model: Any) -> None:
    """Switches both adapters' gradients on: whatever activates or disables an adapter switches some of them off."""
    model.set_requires_grad([FIRST, SECOND])


def weights_of(weights: Mapping[str, torch.Tensor], adapter: str) -> dict[str, torch.Tensor]:
    """One adapter's weights among those of a model, under the names that the first adapter's have.

    Args:
        weights: A model's parameters, or a snapshot of them, by name.
        adapter: `FIRST` or `SECOND`.
    """
    parts = {tuple(name.split(".")): value for name, value in weights.items()}
    return {
        ".".join((*name[:-2], FIRST, name[-1])): value for name, value in parts.items() if name[-2:-1] == (adapter,)
    }


def own_weights(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """What training moves of the policy itself: its adapter's weights, the first of two, or all; none is copied."""
    trained = {name: parameter.data for name, parameter in model.named_parameters() if parameter.requires_grad}
    return weights_of(trained, FIRST) or trained


def adapted_modules(model: PreTrainedModel, targets: Sequence[str]) -> list[str]:
    """Full names of the language model's linear layers that an adapter goes on: no vision or audio tower's, no head.

    Args:
        model: A language model, alone or as the decoder of a model that also sees and hears.
        targets: Last parts of the names; empty means every linear layer of the decoder.

    Raises:
        ValueError: For a target that no layer bears.
    """
    decoder = model.get_decoder()
    decoder = getattr(decoder, "language_model", decoder)  # some wrappers count their towers to the decoder
    inside = {id(module) for module in decoder.modules()}
    linear = [
        name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear) and id(module) in inside
    ]
    missing = [target for target in targets if not any(name.split(".")[-1] == target for name in linear)]
    if missing:
        known = ", ".join(sorted({name.split(".")[-1] for name in linear}))
        raise UserError(f"lora.targets: no linear layer is named {missing[0]!r}, so no target modules; known: {known}")
    return [name for name in linear if not targets or name.split(".")[-1] in targets]
