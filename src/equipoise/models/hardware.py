"""Where a model computes: by which engine, on what device, in what precision."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from equipoise.engines.vllm_settings import VllmSettings
from equipoise.errors import UserError

if TYPE_CHECKING:
    import torch

Device = Literal["auto", "cpu", "cuda"]
Dtype = Literal["float32", "bfloat16"]
Optimizer = Literal["adamw", "adamw_8bit", "paged_adamw", "paged_adamw_8bit"]


@dataclass(frozen=True)
class Hardware:
    """Where a model computes.

    Attributes:
        device: "auto" (a GPU where torch finds one), "cpu" or "cuda".
        dtype: Of the weights: "float32" or "bfloat16". An adapter's own weights stay in float32.
        gradient_checkpointing: Computes activations twice in the backward pass to save memory.
        optimizer: AdamW that keeps its two moments as they are ("adamw"), in 8 bits each ("adamw_8bit"), or where the
            CPU's memory stands in when the GPU's is full ("paged_adamw", "paged_adamw_8bit"). All but the first need
            the package bitsandbytes.
        engine: Where tokens come from: "local" (this process), "tinker" (a server of the Tinker API, which also
            trains), "vllm" (vLLM in this process), an installed package's name, `module:Name` or `file.py:Name`.
        vllm: What the engine "vllm" may take of the machine.
    """

    device: Device = "auto"
    dtype: Dtype = "float32"
    gradient_checkpointing: bool = False
    optimizer: Optimizer = "adamw"
    engine: str = "local"
    vllm: VllmSettings = field(default_factory=VllmSettings)

    def __post_init__(self) -> None:
        if self.device not in get_args(Device):
            raise UserError(f"unknown device {self.device!r}; known: {', '.join(get_args(Device))}")
        if self.dtype not in get_args(Dtype):
            raise UserError(f"unknown dtype {self.dtype!r}; known: {', '.join(get_args(Dtype))}")
        if self.optimizer not in get_args(Optimizer):
            raise UserError(f"unknown optimizer {self.optimizer!r}; known: {', '.join(get_args(Optimizer))}")

    def deciding(self) -> dict[str, str]:
        """What of it decides how a model plays."""
        return {"dtype": self.dtype, **({"engine": self.engine} if self.engine != "local" else {})}

    def place(self) -> str:
        """The device that is computed on: "cpu" or "cuda".

        Raises:
            UserError: When a GPU is asked for and torch finds none.
        """
        import torch

        if self.device == "cuda" and not torch.cuda.is_available():
            raise UserError("hardware.device is 'cuda' and torch finds no GPU; use 'auto' or 'cpu'")
        return "cuda" if self.device != "cpu" and torch.cuda.is_available() else "cpu"

    def loading(self) -> dict[str, Any]:
        """The device and the precision, as `models.load.load` takes them."""
        return {"dtype": self.torch_dtype(), "device": self.place()}

    def torch_dtype(self) -> torch.dtype:
        """The precision of the weights."""
        import torch

        return {"float32": torch.float32, "bfloat16": torch.bfloat16}[self.dtype]
