"""Tokens that a model is fed over eight rounds of the prisoner's dilemma, beside the tokens of its transcripts.

A small random model plays itself. Everything that its forward passes are given counts: turns, replies, tokens run ahead
of a reply, padding. `transcripts` are all tokens of all seats' transcripts, `distinct` those after beginnings that no
other transcript has. Counts, not times: the same on every machine.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any
from unittest import mock

import torch
from common import WIDTH, machine, store
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from equipoise.arena import Match, rollout
from equipoise.core import Episode
from equipoise.engines.exactness import NOTHING, Way, way_of
from equipoise.engines.token_trie import ROOT, TokenTrie
from equipoise.games import make_game
from equipoise.models.load import load
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.training.rows import transcript_row

TARGET = 1.1
"""Most tokens fed for one of the transcripts'."""
EPISODES = (1, 16)
_SMALL = dict(
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=4,
    num_attention_heads=2,
    num_key_value_heads=1,
    head_dim=16,
    initializer_range=0.2,
)
_SLIDING = dict(sliding_window=48, layer_types=["sliding_attention", "full_attention"] * 2)
_RECURRENT = dict(
    linear_num_key_heads=2,
    linear_num_value_heads=2,
    linear_key_head_dim=8,
    linear_value_head_dim=8,
    layer_types=["linear_attention", "linear_attention", "linear_attention", "full_attention"],
)
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "llama": {},
    "gemma3_text": _SLIDING,
    "gemma4_text": _SLIDING | dict(hidden_size_per_layer_input=8, num_kv_shared_layers=2),
    "qwen3_5_text": _RECURRENT,
}


def small(name: str, vocabulary: int) -> dict[str, Any]:
    """The settings of a small model of an architecture."""
    settings = _SMALL | ARCHITECTURES[name] | dict(vocab_size=vocabulary)
    return settings | (dict(vocab_size_per_layer_input=vocabulary) if "hidden_size_per_layer_input" in settings else {})


def config_of(name: str, settings: dict[str, Any], tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
    """The config of an architecture with the tokenizer's control tokens."""
    tokens = dict(bos_token_id=None, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    return AutoConfig.for_model(name, **settings, **tokens)


def random_model(name: str, tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    """A small random model of an architecture, of the tokenizer's vocabulary."""
    config = config_of(name, small(name, len(tokenizer)), tokenizer)
    torch.manual_seed(0)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config).eval()
    return model


def fed_while(model: PreTrainedModel, play: Callable[[], list[Episode]]) -> tuple[int, list[Episode]]:
    """How many tokens a model's forward passes are given while something is played, padding included; the episodes."""
    fed, forward = 0, model.forward

    def counted(*args: Any, **settings: Any) -> Any:
        nonlocal fed
        fed += settings["input_ids"].numel()
        return forward(*args, **settings)

    with mock.patch.object(model, "forward", counted):
        episodes = play()
    return fed, episodes


def measure(name: str, episodes: int, way: Way | None = None) -> dict[str, Any]:
    """Tokens fed and tokens of the transcripts, of so many episodes of self-play.

    Args:
        name: One of `ARCHITECTURES`.
        episodes: Eight rounds each.
        way: How the model is run; the way that is found for it by default.
    """
    _, tokenizer = load("tiny")
    model = random_model(name, tokenizer)
    way = way or way_of(model)
    policy = LanguageModelPolicy("agent", model, tokenizer)
    matches = [Match(("agent", "agent"), deal) for deal in range(episodes)]
    with mock.patch("equipoise.engines.local.way_of", return_value=way):
        fed, played = fed_while(
            model, lambda: rollout(make_game("prisoners_dilemma"), {"agent": policy}, matches, seed=0)
        )
    rows = [transcript_row(episode, seat) for episode in played for seat in (0, 1)]
    texts = [row.prompt + row.completion for row in rows]
    trie = TokenTrie()
    for text in texts:
        trie.grow(ROOT, text)
    return {
        "architecture": name,
        "kept": way.name,
        "episodes": episodes,
        "fed": fed,
        "transcripts": sum(map(len, texts)),
        "distinct": len(trie),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    logging.set_verbosity_error()
    print("Tokens fed over eight rounds of the prisoner's dilemma".ljust(WIDTH - 1))
    print(
        f"  {'architecture':14}{'kept':9}{'episodes':>9}{'fed':>9}{'/ transcripts':>15}{'/ distinct':>12}{'target':>8}"
    )
    rows = [measure(name, n, way) for name in ARCHITECTURES for n in EPISODES for way in (None, NOTHING)]
    for row in rows:
        ratios = f"{row['fed'] / row['transcripts']:15.2f}{row['fed'] / row['distinct']:12.2f}"
        target = "" if row["kept"] == NOTHING.name else TARGET
        print(f"  {row['architecture']:14}{row['kept']:9}{row['episodes']:9}{row['fed']:9,}{ratios}{target:>8}")
    store("tokens_fed", {"machine": machine(torch.get_num_threads()), "target": TARGET, "rows": rows})


if __name__ == "__main__":
    main()
