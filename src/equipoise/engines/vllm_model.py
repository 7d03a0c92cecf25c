"""How a trainer's model becomes what vLLM serves: its config, its names, its weights, and its adapters as folders.

vLLM reads a folder, and the trainer has a model in memory that may be on no disk at all. So the folder holds the config
alone, and the weights come from the model in memory, at first as after every step of training.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, PreTrainedModel

from equipoise.engines.local import Weights
from equipoise.errors import UserError

RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""The ranks that vLLM makes room for."""

_ADAPTED, _BASE_LAYER, _LORA = "base_model.model.", ".base_layer.", ".lora_"
"""What PEFT puts before every name, into the names of adapted layers, and into those of an adapter's weights."""

_TEXT = "model.language_model."
"""Where a model that also sees or hears keeps the part that reads and writes."""


@dataclass(frozen=True)
class Served:
    """What vLLM serves of a model: its text, where it also sees or hears.

    Attributes:
        kind: The class of the model in memory.
        config: Of the served model.
        ties: Names of tensors that are another one's second name, each with the first.
        adapter: PEFT's settings of the adapter that the model bears, or None.
        part: Whether the text is a part of a larger model.
    """

    kind: str
    config: Any
    ties: Mapping[str, str]
    adapter: Any
    part: bool

    @classmethod
    def of(cls, model: PreTrainedModel) -> Served:
        """What is served of a model, with or without an adapter.

        Raises:
            UserError: For an adapter that is none of low rank, or of a rank that vLLM has no room for.
        """
        adapters: Mapping[str, Any] = getattr(model, "peft_config", {})
        base: Any = _base(model)
        text = base.config.get_text_config()
        part = text is not base.config
        config, kind = copy.deepcopy(text), type(base).__name__
        textual: Any = MODEL_FOR_CAUSAL_LM_MAPPING[type(text)] if part else type(base)
        config.architectures = [textual.__name__]
        config.dtype = base.dtype
        served = cls(kind, config, {}, adapters.get(_active(model)), part)
        first: dict[int, str] = {}
        named = ((served.name(name), p) for name, p in base.named_parameters(remove_duplicate=False))
        ties = {name: first[id(p)] for name, p in named if name and first.setdefault(id(p), name) != name}
        _require_low_rank(served.adapter)
        return cls(kind, config, ties, served.adapter, part)

    @property
    def rank(self) -> int:
        """The rank that vLLM must make room for; 0 without an adapter."""
        return 0 if self.adapter is None else next(rank for rank in RANKS if rank >= self.adapter.r)

    @property
    def longest(self) -> int:
        """Tokens of the longest text by the model's config; 0 where it says nothing."""
        return getattr(self.config, "max_position_embeddings", None) or 0

    def name(self, parameter: str) -> str:
        """What vLLM calls a parameter of the model; "" for one that it does not serve, as of a tower that sees."""
        name = parameter.removeprefix(_ADAPTED).replace(_BASE_LAYER, ".")
        if not self.part or name.startswith("lm_head."):
            return name
        return f"model.{name.removeprefix(_TEXT)}" if name.startswith(_TEXT) else ""

    def weights(self, model: PreTrainedModel) -> Iterator[tuple[str, torch.Tensor]]:
        """All weights and stored constants that are served, tied ones under each of their names; none is copied."""
        for parameter, tensor in _base(model).state_dict().items():
            name = self.name(parameter)
            if name and _LORA not in parameter:
                yield name, tensor

    def own_adapter(self, model: PreTrainedModel) -> Weights:
        """The weights of the adapter that a model bears, as the trainer names them; none is copied."""
        own = f".{_active(model)}.weight"
        return {name: p for name, p in model.named_parameters() if _LORA in name and name.endswith(own)}

    def complete(self, weights: Weights) -> list[tuple[str, torch.Tensor]]:
        """Weights under vLLM's names, with tied ones under each of their names: vLLM may keep a copy under each."""
        return [*weights.items(), *((name, weights[first]) for name, first in self.ties.items())]

    def write_config(self, folder: Path) -> None:
        """Writes the config where vLLM reads it."""
        self.config.save_pretrained(folder)

    def write_adapter(self, weights: Weights, folder: Path) -> None:
        """Writes an adapter's weights, named as the trainer's model names them, where vLLM reads them.

        Raises:
            UserError: For weights that are no adapter of the kind that the model bears.
        """
        if self.adapter is None:
            raise UserError("got an adapter's weights for a model without one; make the engine of a model that has it")
        tensors = {}
        for parameter, tensor in weights.items():
            layer, _, rest = parameter.partition(_LORA)
            side, _, tail = rest.partition(".")
            if side not in ("A", "B") or tail.rpartition(".")[2] != "weight":
                raise UserError(f"got {parameter!r} beside an adapter's weights; vLLM serves lora_A and lora_B alone")
            rank = tensor.shape[0 if side == "A" else 1]
            if rank != self.adapter.r:
                raise UserError(f"got an adapter of rank {rank}; the engine was made for rank {self.adapter.r}")
            name = self.name(layer)
            if name:
                tensors[f"{_ADAPTED}{name}{_LORA}{side}.weight"] = tensor.detach().contiguous().cpu()
        folder.mkdir()
        self.adapter.save_pretrained(str(folder))
        save_file(tensors, folder / "adapter_model.safetensors")


def is_adapter(weights: Weights) -> bool:
    """Whether weights are an adapter's, not the whole model's."""
    return any(_LORA in name for name in weights)


def _base(model: PreTrainedModel) -> Any:
    """The model under its adapter, or the model itself."""
    adapted: Any = model
    return adapted.get_base_model() if getattr(model, "peft_config", None) else model


def _active(model: PreTrainedModel) -> str:
    """The name of the adapter that a model bears; "" without one."""
    return str(getattr(model, "active_adapter", "")) if getattr(model, "peft_config", None) else ""


def _require_low_rank(adapter: Any) -> None:
    if adapter is None:
        return
    kind = str(getattr(adapter.peft_type, "value", adapter.peft_type))
    if kind != "LORA":
        raise UserError(f"got an adapter of the kind {kind}; vLLM serves LORA alone: merge it, or train a LORA adapter")
    if adapter.r > RANKS[-1]:
        raise UserError(f"got an adapter of rank {adapter.r}; vLLM serves ranks up to {RANKS[-1]}")
