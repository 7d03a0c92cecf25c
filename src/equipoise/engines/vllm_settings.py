"""What vLLM may take of the machine; reading it needs neither vLLM nor torch."""

from __future__ import annotations

from dataclasses import dataclass

from equipoise.errors import UserError


@dataclass(frozen=True)
class VllmSettings:
    """What vLLM may take of the machine.

    Attributes:
        gpu_memory_utilization: Share of a GPU's memory for weights and kept keys; the rest is the trainer's.
        cpu_cache_gib: Memory for kept keys where there is no GPU.
        max_model_len: Tokens of the longest prompt with its reply; 0 for as many as the model's config says.
        max_num_seqs: Most replies in the making at once.
        max_loras: Adapters that are held on the device beside one another.
    """

    gpu_memory_utilization: float = 0.4
    cpu_cache_gib: float = 1.0
    max_model_len: int = 0
    max_num_seqs: int = 256
    max_loras: int = 4

    def __post_init__(self) -> None:
        if not 0.0 < self.gpu_memory_utilization < 1.0:
            raise UserError(f"got gpu_memory_utilization={self.gpu_memory_utilization}; allowed: between 0 and 1")
        if not self.cpu_cache_gib > 0:
            raise UserError(f"got cpu_cache_gib={self.cpu_cache_gib}; allowed: above 0")
        if self.max_model_len < 0 or self.max_num_seqs < 1 or self.max_loras < 1:
            raise UserError(
                f"got max_model_len={self.max_model_len}, max_num_seqs={self.max_num_seqs}, "
                f"max_loras={self.max_loras}; allowed: max_model_len >= 0, the others >= 1"
            )
