"""What one GPU makes of the papers' two models: ten minutes on an H200, nothing downloaded.

Weights are random and shapes are real; the tokenizer is the embedded one, whose tokens such a model almost never draws,
so that every reply is noise and as long as it may be: replies of 8 tokens in games, and of `STEP_TOKENS` in the step.
For each model: decisions a second (of the wall's clock) and memory with the engines `local` and, where it is installed,
`vllm`, and one step of the model's own recipe of SEPO, an adapter trained in the prisoner's dilemma, split into
sampling, forward and backward passes (that of the reference included), and the rest. Every measurement runs in a
process of its own. `--tiny` runs the same with small models of the same architectures on the CPU, whose figures mean
nothing.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import loads
import torch
from common import RESULTS, Unmeasured, in_child, machine, peak_mib, prepare_children
from tokens_fed import config_of, small

import training

LIMIT_S, CELL_S = 570.0, 150.0
"""Seconds of the whole check, and of one of its measurements."""
SIZES = {"kuhn": 256, "dilemma": 64}
"""Hands and episodes that are played; 2 of both in the dry run, and a step of two rollouts a match."""
STEP_TOKENS = 64
"""Tokens of a reply in the step, where the recipes allow 512."""
WARM_UP = 1
ENGINES = ("local", "vllm")


@dataclass(frozen=True)
class Subject:
    """A model that is checked.

    Attributes:
        architecture: Its class in transformers.
        shape: The settings of its config.
        recipe: Whose step is taken.
        assumed: Whether the shape is not known for certain.
    """

    architecture: str
    shape: dict[str, Any]
    recipe: str
    assumed: bool = False


SUBJECTS = {
    "Qwen3.5-4B": Subject(
        "qwen3_5_text",
        dict(
            vocab_size=248_320,
            hidden_size=2_560,
            intermediate_size=9_216,
            num_hidden_layers=32,
            num_attention_heads=16,
            num_key_value_heads=4,
            head_dim=256,
            linear_num_key_heads=16,
            linear_num_value_heads=32,
            linear_key_head_dim=128,
            linear_value_head_dim=128,
            layer_types=["linear_attention", "linear_attention", "linear_attention", "full_attention"] * 8,
            tie_word_embeddings=True,
        ),
        "qwen3.5-4b",
    ),
    # An assumption: its config was not at hand. 42 layers and a window of 512 are of the model's card, the rest is what
    # comes to about the card's 4.5 billion parameters, 8 with the embeddings of each layer.
    "Gemma-4-E4B": Subject(
        "gemma4_text",
        dict(
            vocab_size=262_144,
            vocab_size_per_layer_input=262_144,
            hidden_size=2_560,
            hidden_size_per_layer_input=256,
            intermediate_size=10_240,
            num_hidden_layers=42,
            num_attention_heads=8,
            num_key_value_heads=2,
            head_dim=256,
            num_kv_shared_layers=18,
            sliding_window=512,
            layer_types=(["sliding_attention"] * 5 + ["full_attention"]) * 7,
            final_logit_softcapping=30.0,
            tie_word_embeddings=True,
        ),
        "gemma4-e4b",
        assumed=True,
    ),
}


def opened(name: str, tiny: bool) -> tuple[Any, Any]:
    """A subject's random model where it is to run, and the tokenizer."""
    from transformers import AutoModelForCausalLM

    from equipoise.models.load import tokenizer_of

    subject, tokenizer = SUBJECTS[name], tokenizer_of("tiny")
    # as in the real ones, most tokens of the small ones are none of the tokenizer's
    shape = small(subject.architecture, 2 * len(tokenizer)) if tiny else subject.shape
    torch.manual_seed(0)
    with torch.device("cpu" if tiny else "cuda"):
        model = AutoModelForCausalLM.from_config(
            config_of(subject.architecture, shape, tokenizer), dtype=torch.float32 if tiny else torch.bfloat16
        )
    return model.eval(), tokenizer


def gib(tiny: bool) -> float:
    """Memory that is taken: on a GPU now, by whomever, on a CPU the most so far by this process."""
    if tiny:
        return peak_mib() / 2**10
    free, whole = torch.cuda.mem_get_info()
    return (whole - free) / 2**30


def clock() -> float:
    """Seconds on the wall, once the GPU has done what it was told."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def decisions(name: str, engine: str, tiny: bool) -> dict[str, Any]:
    """Decisions and drawn tokens a second in each game, and memory, by an engine."""
    from ways import WAYS

    from equipoise.policies.language_model import LanguageModelPolicy

    model, tokenizer = opened(name, tiny)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    served, found = WAYS[engine](model), dict[str, Any]()
    for load, size in SIZES.items():
        play = loads.LOADS[load]
        play(LanguageModelPolicy("agent", served, tokenizer), 2, 1)
        counting = loads.Counting(served)
        start = clock()
        play(LanguageModelPolicy("agent", counting, tokenizer), 2 if tiny else size, 0)
        seconds = clock() - start
        found[load] = {"per_s": counting.replies / seconds, "drawn_per_s": counting.drawn_tokens / seconds}
    served_gib = gib(tiny)
    served.close()
    return {"parameters": parameters, "rates": found, "gib": served_gib}


def sepo_step(name: str, tiny: bool) -> dict[str, Any]:
    """Seconds of a step's parts, its rows, and memory."""
    from equipoise.training import run
    from equipoise.training.demonstrations import Demonstrations
    from equipoise.training.recipe import load_recipe

    recipe = load_recipe(f"sepo/{SUBJECTS[name].recipe}")
    hardware = dataclasses.replace(recipe.hardware, device="cpu", dtype="float32") if tiny else recipe.hardware
    recipe = dataclasses.replace(
        recipe,
        model="tiny",
        demonstrations=Demonstrations(),
        selection=dataclasses.replace(recipe.selection, every=0),
        sampling=dataclasses.replace(recipe.sampling, max_new_tokens=4 if tiny else STEP_TOKENS),
        play=dataclasses.replace(recipe.play, rollouts=2) if tiny else recipe.play,
        hardware=hardware,
    )
    with mock.patch.object(run, "_loaded", return_value=opened(name, tiny)):
        seconds, rows = training.stepped(recipe, training.Timers(clock), WARM_UP, 1)
    most = peak_mib() / 2**10 if tiny else torch.cuda.max_memory_reserved() / 2**30
    sampling, passes = seconds["sampling"], seconds["forward"] + seconds["backward"]
    rest = sum(seconds.values()) - sampling - passes
    return {"sampling_s": sampling, "passes_s": passes, "rest_s": rest, "rows": rows[-1], "gib": most}


def check(tiny: bool, out: Path) -> dict[str, Any]:
    """All measurements, the most wanted first, written down after each: what is not done in time says so."""
    end = time.monotonic() + LIMIT_S
    place = {} if tiny else {"gpu": torch.cuda.get_device_name()}
    late = {"unmeasured": "no time left"}
    found: dict[str, dict[str, Any]] = {name: {"local": late, "vllm": late, "step": late} for name in SUBJECTS}
    whole = {"machine": machine(torch.get_num_threads()) | place, "tiny": tiny, "models": found}
    for what in ("local", "step", "vllm"):
        for name in SUBJECTS:
            if what == "step":
                found[name][what] = _cell(end, sepo_step, name, tiny)
            elif what == "local" or importlib.util.find_spec("vllm") is not None:
                found[name][what] = _cell(end, decisions, name, what, tiny)
            else:
                found[name][what] = {"unmeasured": "not installed"}
            out.parent.mkdir(exist_ok=True)
            out.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    return whole


def _cell(end: float, measurement: Any, *arguments: Any) -> dict[str, Any]:
    left = min(CELL_S, end - time.monotonic())
    try:
        if left < 1:
            raise Unmeasured("no time left")
        return in_child(measurement, *arguments, timeout_s=left)
    except Unmeasured as why:
        return {"unmeasured": str(why)}
    except Exception as error:  # what fails on a machine that nobody has seen must not take the rest along
        return {"unmeasured": f"failed: {type(error).__name__}: {error}".splitlines()[0]}


def table(whole: dict[str, Any]) -> str:
    """The measurements as Markdown."""
    place = whole["machine"].get("gpu", "a CPU, small models: a dry run whose figures mean nothing")
    lines = [
        f"On {place}:",
        "",
        "| model | parameters | engine | decisions a second: Kuhn | dilemma | memory |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, cells in whole["models"].items():
        lines += [f"| {_title(name)} | {_played(cells[engine], engine)} |" for engine in ENGINES]
    lines += [
        "",
        "| one step of SEPO | sampling | forward, backward | rest | rows | memory |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [f"| {_title(name)} | {_stepped(cells['step'])} |" for name, cells in whole["models"].items()]
    return "\n".join(lines)


def _title(name: str) -> str:
    return f"{name} (shape assumed)" if SUBJECTS[name].assumed else name


def _played(cell: dict[str, Any], engine: str) -> str:
    if "unmeasured" in cell:
        return f" | {engine} | {cell['unmeasured']} | | "
    rates = " | ".join(f"{cell['rates'][load]['per_s']:,.1f}" for load in SIZES)
    return f"{cell['parameters'] / 1e9:.2f} B | {engine} | {rates} | {cell['gib']:.1f} GiB"


def _stepped(cell: dict[str, Any]) -> str:
    if "unmeasured" in cell:
        return f"{cell['unmeasured']} | | | | "
    seconds = " | ".join(f"{cell[part]:.2f} s" for part in ("sampling_s", "passes_s", "rest_s"))
    return f"{seconds} | {cell['rows']} | {cell['gib']:.1f} GiB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="a dry run on the CPU with small models")
    parser.add_argument("--out", type=Path, help="the JSON (default: benchmarks/results/gpu_check.json)")
    options = parser.parse_args()
    if not options.tiny and not torch.cuda.is_available():
        parser.error("torch finds no GPU; --tiny is the dry run on a CPU")
    prepare_children()
    out = options.out or RESULTS / ("gpu_check_tiny.json" if options.tiny else "gpu_check.json")
    print(table(check(options.tiny, out)))


if __name__ == "__main__":
    main()
