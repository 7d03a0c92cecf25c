"""Shared models: the embedded one, and tiny random instances of real architectures. Nothing here touches a network."""

import os
import signal

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # workers side by side would only wait for one another
for _number, _handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:  # as in a shell's background or under nohup; children inherit it
        signal.signal(_number, _handler)


@pytest.fixture(scope="session")
def embedded():
    """The embedded model and its tokenizer, shared: tests must not change its weights."""
    import torch
    from transformers.utils import logging

    from equipoise.models.load import load

    torch.set_num_threads(1)
    logging.set_verbosity_error()
    return load("tiny")


@pytest.fixture(scope="session")
def tokenizer(embedded):
    """The embedded model's tokenizer, shared."""
    return embedded[1]


@pytest.fixture(scope="session")
def new_model(tokenizer):
    """Makes a fresh two-layer random model of a real architecture for the shared tokenizer."""

    def build(architecture="llama", seed=0, **changes):
        import torch
        import transformers

        settings = dict(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=16,
            max_position_embeddings=1024,
            initializer_range=0.2,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            tie_word_embeddings=True,
        )
        sliding = dict(sliding_window=16, layer_types=["sliding_attention", "full_attention"])
        linear = dict(linear_num_key_heads=2, linear_num_value_heads=2, linear_key_head_dim=8, linear_value_head_dim=8)
        name, extra = {
            "llama": ("Llama", {}),
            "qwen3": ("Qwen3", {}),
            "gemma3": ("Gemma3", sliding),
            "gemma4": (
                "Gemma4",
                dict(sliding, hidden_size_per_layer_input=8, vocab_size_per_layer_input=len(tokenizer)),
            ),
            "qwen3_5": ("Qwen3_5", dict(linear, layer_types=["linear_attention", "full_attention"])),
        }[architecture]
        config_class = getattr(transformers, f"{name}TextConfig", None) or getattr(transformers, f"{name}Config")
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return getattr(transformers, f"{name}ForCausalLM")(config_class(**{**settings, **extra, **changes})).eval()

    return build


@pytest.fixture(scope="session")
def random_model(new_model):
    """A shared random Llama: it almost never says a legal word."""
    return new_model()
