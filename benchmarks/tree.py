"""What training on a token tree saves over padded rows: time of a step, and what its backward pass keeps.

Every legal reply at every information state of Kuhn poker in words is a row, as where replies are scored or their exact
gradient is taken: the rows share the rules and most of the play. Two models: one of random weights with the shape of
SmolLM2-135M, whose tokens are here the words, and the embedded one with its own tokens. A step is the forward and
backward pass over all rows at once, trees being made in it. What is kept counts every tensor that the backward pass
needs and that is no weight, once; it is the same in every repeat.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from common import WIDTH, in_child, machine, prepare_children, spread, store

TARGET = 4.0
REPEATS = {"135M": 5, "tiny": 20}


def words_of(text: str) -> list[str]:
    return re.findall(r"\w+|[^\w\s]", text)


def as_words() -> list[tuple[int, ...]]:
    """A row for every legal reply at every information state, a token a word; the last two are the reply, its end."""
    from equipoise.games.kuhn_poker import KuhnPoker
    from equipoise.games.text import observations, render_reply, render_rules
    from equipoise.metrics.tree import GameTree

    game, known, rows = KuhnPoker(), dict[str, int](), []
    for place in GameTree(game).information_sets:
        texts, actions = observations(game, place.information_state, place.seat, place.legal, "terse")
        before = [*words_of(render_rules(game)), "<user>", *words_of(texts[0])]
        for action, text in zip(actions, texts[1:], strict=True):
            before += ["<assistant>", *words_of(render_reply(game, action)), "<end>", "<user>", *words_of(text)]
        for action in place.legal:
            row = [*before, "<assistant>", *words_of(render_reply(game, action)), "<end>"]
            rows.append(tuple(known.setdefault(word, len(known)) for word in row))
    return rows


def as_embedded(policy: Any) -> list[tuple[int, ...]]:
    """The same rows in the tokens of a policy."""
    from equipoise.games.kuhn_poker import KuhnPoker
    from equipoise.metrics.tree import GameTree

    game = KuhnPoker()
    return [
        policy.transcript(game, place.information_state, place.seat, place.legal)
        + policy.chat.reply(game.action_text(action))
        for place in GameTree(game).information_sets
        for action in place.legal
    ]


def of_135m() -> Any:
    """A Llama of random weights with the shape of SmolLM2-135M."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=49152,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        max_position_embeddings=8192,
        tie_word_embeddings=True,
    )
    return LlamaForCausalLM(config)


def weighed(rows: Sequence[tuple[int, ...]]) -> list[Any]:
    """Rows whose last two tokens have random weights."""
    from equipoise.training.loss import Example

    rng = np.random.default_rng(0)
    return [Example(row, np.append(np.zeros(len(row) - 2), rng.normal(size=2))) for row in rows]


def step(model: Any, parts: Callable[[], Sequence[Any]]) -> float:
    """CPU seconds of the forward and backward passes of a step, the making of its parts included."""
    model.zero_grad()
    start = time.process_time()
    for part in parts():
        part.loss(model).backward()
    return time.process_time() - start


def measure(name: str) -> dict[str, Any]:
    """CPU seconds of a step by rows and by trees, side by side, and the MiB that each keeps for its backward pass."""
    from equipoise.models.load import load
    from equipoise.policies.language_model import LanguageModelPolicy
    from equipoise.training.passes import RowPass, TreePass, passes

    torch.set_num_threads(1)
    if name == "tiny":
        model, tokenizer = load("tiny")
        rows = as_embedded(LanguageModelPolicy("tiny", model, tokenizer))
    else:
        model, rows = of_135m(), as_words()
    examples = weighed(rows)
    ways: dict[str, Callable[[], Sequence[Any]]] = {
        "rows": lambda: [RowPass(examples)],
        "tree": lambda: passes(model, examples, 10**9),
    }
    (whole,) = ways["tree"]()
    assert isinstance(whole, TreePass)

    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for repeat in range(-1, REPEATS[name]):  # the first one warms up
        for way, parts in ways.items():
            taken = step(model, parts)
            if repeat >= 0:
                seconds[way].append(taken)
    return {
        "tokens": {"rows": sum(map(len, rows)), "tree": sum(map(len, whole.trees))},
        "seconds": seconds,
        "mib": {way: kept(model, parts()) for way, parts in ways.items()},
    }


def kept(model: Any, parts: Sequence[Any]) -> float:
    """MiB of what forward passes keep for their backward passes, weights aside."""
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    found: dict[int, torch.UntypedStorage] = {}

    def note(tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            found[storage.data_ptr()] = storage

    # nothing runs backward, so what is kept need not be in the graph: a result that its own node keeps is never freed
    with torch.autograd.graph.saved_tensors_hooks(note, lambda nothing: nothing):
        held = [part.loss(model) for part in parts]
    del held
    return sum(storage.nbytes() for storage in found.values()) / 2**20


def show(name: str, result: dict[str, Any]) -> None:
    """Prints a model's lines."""
    tokens, seconds, mib = result["tokens"], result["seconds"], result["mib"]
    unit, scale = ("CPU s", 1.0) if min(seconds["tree"]) > 1 else ("CPU ms", 1e3)
    ratios = [rows / tree for rows, tree in zip(seconds["rows"], seconds["tree"], strict=True)]
    print(f"  {name + ', ' + str(len(ratios)) + ' repeats':24}{'rows':>18}{'tree':>18}{'rows / tree':>18}")
    print(f"  {'tokens run':24}{tokens['rows']:>18,}{tokens['tree']:>18,}{tokens['rows'] / tokens['tree']:>18.1f}")
    cells = [spread([scale * value for value in seconds[way]]) for way in ("rows", "tree")]
    print(f"  {unit + ' a step':24}{cells[0]:>18}{cells[1]:>18}{spread(ratios):>18}")
    print(f"  {'kept, MiB':24}{mib['rows']:>18,.1f}{mib['tree']:>18,.1f}{mib['rows'] / mib['tree']:>18.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=tuple(REPEATS), help="one model alone, nothing stored")
    options = parser.parse_args()
    prepare_children()
    print("Training benchmark: every reply of Kuhn poker, median [range]"[: WIDTH + 1])
    results = {}
    for name in [options.model] if options.model else REPEATS:
        results[name] = in_child(measure, name)
        show(name, results[name])
    print(f"  target for 135M: {TARGET:.0f} times in time and in memory")
    if not options.model:
        store("tree", {"machine": machine(1), "target": TARGET, "models": results})


if __name__ == "__main__":
    main()
