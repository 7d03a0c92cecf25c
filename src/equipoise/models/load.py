"""Loads any Hugging Face causal language model, or the embedded one, with or without a PEFT adapter.

A folder is data: no code that comes with it is run, and its weights are safetensors, never pickles.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from equipoise.errors import ModelWarning, UserError
from equipoise.models import OURS
from equipoise.models.sources import first_line, folder_of, is_hub_id, json_object, model_folder, short

ADAPTERS = ("LORA", "ADALORA", "BOFT", "IA3", "LOHA", "LOKR", "OFT", "VERA", "RANDLORA", "FOURIERFT", "LN_TUNING")
"""Kinds of PEFT adapters that change weights alone; others put tokens of their own before a transcript."""

_SETTINGS = ("config.json", "generation_config.json", "tokenizer_config.json")
"""Files that must be JSON objects; transformers overlooks a broken second one, and with it what ends a reply."""


def load(
    name: str | Path, *, dtype: torch.dtype = torch.float32, device: str = "cpu"
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A model and its tokenizer, in evaluation mode.

    Args:
        name: "tiny" or "tiny-talk" (the embedded models), "smollm2" (`models.smollm2`), a folder (a model, a PEFT
            adapter, or a training run), or a Hugging Face id, whose owner is neither "runs" nor a folder that is here.
        dtype: Of the weights.
        device: Where they go.

    Raises:
        ValueError: The folder holds no model, or not one that fits; one line says what was found and what is needed.
    """
    base, adapters = _layers(name)
    model, tokenizer = _from_pretrained(base, dtype, device)
    for i, folder in enumerate(adapters):
        model = _adapted(_merged(model) if i else model, folder)
    return model, tokenizer


def tokenizer_of(name: str | Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a model alone; names and errors are those of `load`."""
    base, _ = _layers(name)
    with _foreign(base):
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(base, trust_remote_code=False)
    return tokenizer


def base_of(name: str | Path) -> str:
    """The folder or hub id of the model that a name stands for, or that its adapter stands on."""
    return _layers(name)[0]


def words_of(name: str | Path) -> tuple[int, tuple[int, ...]]:
    """How many tokens a model, or an adapter's base, knows, and those that end a text; no weights are loaded.

    Raises:
        UserError: As `load`.
    """
    base = base_of(name)
    with _foreign(base):
        config = AutoConfig.from_pretrained(base, trust_remote_code=False)
        try:
            ends = GenerationConfig.from_pretrained(base).eos_token_id
        except OSError:  # a folder without one: its config.json says
            ends = GenerationConfig.from_model_config(config).eos_token_id
    vocabulary: int = config.get_text_config().vocab_size
    return vocabulary, () if ends is None else tuple(ends) if isinstance(ends, list) else (ends,)


def _layers(name: str | Path) -> tuple[str, list[Path]]:
    """The folder or hub id of the base that a name stands for, and the folders of adapters on it, lowest first."""
    adapters: list[Path] = []
    while True:
        folder = folder_of(name)
        if not os.path.exists(folder):
            if is_hub_id(str(name)):
                return str(name), adapters[::-1]
            raise UserError(
                f"no model folder {short(str(name))}; give one of {', '.join(OURS)}, a folder with weights, or a "
                "hub id owner/name whose owner is neither 'runs' nor a folder here"
            )
        inside = model_folder(folder)
        if not (inside / "adapter_config.json").exists():
            for part in _SETTINGS:
                if part == "config.json" or (inside / part).exists():
                    json_object(inside / part)
            _require_weights(inside)
            return str(inside), adapters[::-1]
        if any(inside.samefile(other) for other in adapters):
            raise UserError(
                f"the adapter in {inside} stands on itself; its base_model_name_or_path must end at a model"
            )
        adapters.append(inside)
        base = _base(inside)
        name = inside / base if os.path.isdir(inside / base) else base


def _base(folder: Path) -> str:
    """What an adapter says it stands on, its own settings looked at."""
    settings = json_object(folder / "adapter_config.json")
    base, kind = settings.get("base_model_name_or_path"), settings.get("peft_type")
    if not isinstance(base, str) or not base or not base.isprintable():
        raise UserError(
            f"the adapter in {folder} has a broken adapter_config.json: got base_model_name_or_path "
            f"{short(base)}; needed: the folder or hub id of its base model"
        )
    if kind not in ADAPTERS:
        raise UserError(
            f"the adapter in {folder} is of an unknown kind, peft_type {short(kind)}; known: {', '.join(ADAPTERS)}"
        )
    if not (folder / "adapter_model.safetensors").exists():
        raise UserError(f"{folder} has an adapter_config.json but no adapter_model.safetensors; save the adapter there")
    return base


def _require_weights(folder: Path) -> None:
    if not any(folder.glob("*.safetensors")):
        raise UserError(f"{folder} has a config.json but no *.safetensors weights; save the model there first")


def _from_pretrained(source: str, dtype: torch.dtype, device: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    if Path(source).exists():  # a local folder loads in a moment; the bar is for downloads
        logging.disable_progress_bar()
    with _foreign(source):
        _refuse_kernels(source, AutoConfig.from_pretrained(source, trust_remote_code=False))
        # unless it is told no, transformers asks on the terminal whether to run a folder's own code
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            source, dtype=dtype, use_safetensors=True, output_loading_info=True, trust_remote_code=False
        )
    model, report = loaded
    missing = sorted(report["missing_keys"])
    if missing:
        raise UserError(
            f"{source} does not fit its architecture {type(model).__name__}: {len(missing)} weights are missing, "
            f"first {missing[0]!r}; is it a checkpoint of another model?"
        )
    unused = sorted(report["unexpected_keys"])
    if unused:
        warnings.warn(
            f"{len(unused)} weights in {source} have no place in a {type(model).__name__} by its config.json and are "
            f"left out, first {unused[0]!r}",
            ModelWarning,
            stacklevel=2,
        )
    _require_finite(source, model.named_parameters())
    return model.to(device).eval(), tokenizer


@contextmanager
def _foreign(source: str) -> Iterator[None]:
    """Turns what a library makes of a foreign folder into one line: it is the folder's fault."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # a library may fail in any way at all
        if "trust_remote_code" in str(error):
            raise UserError(
                f"{source!r} needs Python code of its own (auto_map), and foreign code is never run; use a model and "
                "a tokenizer whose classes are in transformers"
            ) from error
        raise UserError(f"cannot load a model from {source!r}: {first_line(error)}") from error


def _refuse_kernels(source: str, config: Any) -> None:
    """Refuses a config that names an attention kernel of the Hub, owner/name: code that transformers would fetch."""
    own = [config, *(getattr(config, name, None) for name in getattr(config, "sub_configs", {}))]
    for named in (getattr(part, "_attn_implementation", None) for part in own):
        if any("/" in str(kernel) for kernel in (named.values() if isinstance(named, dict) else [named])):
            raise UserError(
                f"the config of {source!r} asks for code from the Hub to run attention, {short(named)}, and foreign "
                "code is never run; take attn_implementation out of its config.json"
            )


def _require_finite(source: str, tensors: Iterable[tuple[str, torch.Tensor]]) -> None:
    """Refuses weights that are not numbers, by name: with them every probability is none, and an audit of nothing."""
    for name, tensor in tensors:
        if tensor.is_floating_point() and tensor.numel():
            low, high = torch.aminmax(tensor.detach())
            if not bool(torch.isfinite(low) & torch.isfinite(high)):
                raise UserError(
                    f"the weights in {source} hold NaN or infinite numbers, first in {name!r}; use another checkpoint"
                )


def load_merged(
    name: str | Path, *, dtype: torch.dtype = torch.float32, device: str = "cpu"
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """`load`, with an adapter added into the weights of its base: what training or another adapter starts from."""
    model, tokenizer = load(name, dtype=dtype, device=device)
    return _merged(model), tokenizer


def _merged(model: PreTrainedModel) -> PreTrainedModel:
    merge: Callable[[], PreTrainedModel] | None = getattr(model, "merge_and_unload", None)
    return merge() if merge else model


def _adapted(model: PreTrainedModel, folder: Path) -> PreTrainedModel:
    from peft import PeftModel

    base = {id(parameter) for parameter in model.parameters()}
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="Found missing adapter keys")
            adapted = PeftModel.from_pretrained(model, str(folder))
    except Exception as error:  # whatever a library makes of a foreign folder is the folder's fault
        raise UserError(f"the adapter in {folder} does not fit its base model: {first_line(error)}") from error
    _require_finite(str(folder), ((n, p) for n, p in adapted.named_parameters() if id(p) not in base))
    whole: PreTrainedModel = adapted.eval()
    return whole
