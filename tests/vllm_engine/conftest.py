"""Tests of the engine `vllm`, collected where vLLM is installed alone: `make test-vllm` makes such an environment.

The folder is not called vllm, for Python would take it for the package.
"""

from importlib.util import find_spec

import pytest
import torch

collect_ignore_glob = [] if find_spec("vllm") else ["test_*.py"]


@pytest.fixture
def started():
    """Starts engines, small ones, and closes what a test leaves open."""
    from equipoise.engines.vllm import VllmEngine
    from equipoise.engines.vllm_settings import VllmSettings

    engines = []

    def start(model, **changes):
        settings = VllmSettings(**{"cpu_cache_gib": 0.25, "max_model_len": 512, "max_num_seqs": 64, **changes})
        engines.append(VllmEngine(model, settings))
        return engines[-1]

    yield start
    for engine in engines:
        engine.close()


@pytest.fixture
def new_served(new_model):
    """Makes a small random model of a size that vLLM has kernels for."""
    return lambda architecture="llama", **changes: new_model(architecture, **{"head_dim": 32, **changes})


@pytest.fixture
def adapted():
    """Puts a random adapter on a model."""
    from peft import LoraConfig, get_peft_model

    def adapt(model, targets=("q_proj", "v_proj", "down_proj"), **changes):
        config = LoraConfig(
            **{"r": 4, "lora_alpha": 8, "task_type": "CAUSAL_LM", "init_lora_weights": False, **changes},
            target_modules=targets if isinstance(targets, str) else list(targets),
        )
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return get_peft_model(model, config).eval()

    return adapt
