"""The embedded default model: a small Llama with its own byte-level BPE tokenizer and chat template.

It reads and writes the games' language and plays badly: it is the "base model" of every demo. Weights are shipped as
safetensors and rebuilt from generated transcripts by `make tiny`.

The BPE sees no word boundaries, so that an episode is tens of tokens and not hundreds, but no token may be longer
than 32 bytes: without that limit a whole observation, card included, becomes one token and the model is a table. The
digits of a list such as "2 1 0" are tokens of their own: each of the 125 demands of bargaining as one token would be
seen too seldom to be learned.

It is asked for its moves tersely, as in the transcripts that it learned from: its tokenizer says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from equipoise.models import EMBEDDED
from equipoise.policies.chat import WORDING
from equipoise.seeds import Seed, Use

FOLDER, TALK_FOLDER = EMBEDDED["tiny"], EMBEDDED["tiny-talk"]
CONTROL = ("<|pad|>", "<|rules|>", "<|see|>", "<|say|>", "<|end|>")
MAX_TOKEN_BYTES = 32
LISTED_DIGIT = r"\d(?= \d)|(?<=\d )\d"
LISTED_NUMBER = r"(?<=\d) \d+|\d+(?= \d)"
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}<|rules|>{{ message['content'] }}"
    "{% elif message['role'] == 'user' %}<|see|>{{ message['content'] }}"
    "{% else %}<|say|>{% generation %}{{ message['content'] }}<|end|>{% endgeneration %}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|say|>{% endif %}"
)


def train_tokenizer(
    texts: Iterable[str], vocab_size: int = 1_280, apart: str = LISTED_DIGIT
) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer without word splitting, with the role tokens and the chat template.

    Args:
        texts: What it learns from.
        vocab_size: Tokens, role tokens and the 256 bytes included.
        apart: A pattern; no token reaches across the ends of what matches it.
    """
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(apart), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(CONTROL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        max_token_length=MAX_TOKEN_BYTES,
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token="<|pad|>",
        eos_token="<|end|>",
        additional_special_tokens=["<|rules|>", "<|see|>", "<|say|>"],
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
        model_max_length=1024,
        **{WORDING: "terse"},
    )


def new_model(tokenizer: PreTrainedTokenizerFast, seed: int, width: int = 128, layers: int = 3) -> LlamaForCausalLM:
    """A freshly initialised model for a tokenizer, with 4 heads and separate input and output embeddings.

    One matrix for both would make equally likely tokens alike, cards for example: predicting them pulls their vectors
    together, and then nothing that reads them can tell them apart.
    """
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=1024,
        tie_word_embeddings=False,
        initializer_range=0.1,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(Seed(seed).at(Use.WEIGHTS).integer())
        return LlamaForCausalLM(config)


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, out: Path) -> None:
    """Writes a model and its tokenizer to a folder, as safetensors, ready to be played."""
    out.mkdir(parents=True, exist_ok=True)
    model.config.use_cache = True  # the trainer switches it off
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
