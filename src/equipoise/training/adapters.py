"""Two agents on one base model: each is a low-rank adapter, and the base exists once.

The first agent is the adapter that is always active. While the second one plays, its weights stand in the place of the
first's (`population.WornPolicy`), so no adapter is ever switched and no gradient is switched off with it. In a training
step every row goes through its own adapter (`routed`).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

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


@contextmanager
def routed(model: Any, adapters: Sequence[str]) -> Iterator[None]:
    """Within it a forward pass of as many rows as there are names puts each row through its own adapter.

    The model is in evaluation mode meanwhile, as PEFT demands: nothing is dropped out, gradients are unchanged.

    Args:
        model: A PEFT model.
        adapters: The name of each row's adapter, [B].
    """

    def named(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        assert len(kwargs["input_ids"]) == len(adapters)
        return args, {**kwargs, "adapter_names": list(adapters)}

    training, handle = model.training, model.register_forward_pre_hook(named, with_kwargs=True)
    model.eval()
    try:
        yield
    finally:
        handle.remove()
        model.train(training)
