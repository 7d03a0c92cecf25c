"""Loads any Hugging Face causal language model, or the embedded one, with or without a PEFT adapter.

A folder is data: no code that comes with it is run, and its weights are safetensors, never pickles.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from equipoise.errors import UserError
from equipoise.models import EMBEDDED
from equipoise.models.sources import folder_of, is_hub_id, model_folder


def load(
    name: str | Path, *, dtype: torch.dtype = torch.float32, device: str = "cpu"
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A model and its tokenizer, in evaluation mode.

    Args:
        name: "tiny" or "tiny-talk" (the embedded models), a folder (a model, a PEFT adapter, or a training run), or a
            Hugging Face id, whose owner is neither "runs" nor a folder that is here.
        dtype: Of the weights.
        device: Where they go.

    Raises:
        ValueError: The folder holds no model, or not one that fits; one line says what was found and what is needed.
    """
    folder = folder_of(name)
    if not folder.exists():
        if is_hub_id(str(name)):
            return _from_pretrained(str(name), dtype, device)
        raise UserError(
            f"no model folder {str(name)!r}; give one of {', '.join(EMBEDDED)}, a folder with weights, or a hub id "
            "owner/name whose owner is neither 'runs' nor a folder here"
        )
    inside = model_folder(folder)
    if (inside / "adapter_config.json").exists():
        return _with_adapter(inside, dtype, device)
    _require_weights(inside)
    return _from_pretrained(str(inside), dtype, device)


def _require_weights(folder: Path) -> None:
    if not any(folder.glob("*.safetensors")):
        raise UserError(f"{folder} has a config.json but no *.safetensors weights; save the model there first")


def _from_pretrained(source: str, dtype: torch.dtype, device: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    if Path(source).exists():  # a local folder loads in a moment; the bar is for downloads
        logging.disable_progress_bar()
    try:
        # unless it is told no, transformers asks on the terminal whether to run a folder's own code
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            source, dtype=dtype, use_safetensors=True, output_loading_info=True, trust_remote_code=False
        )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        if "trust_remote_code" in str(error):
            raise UserError(
                f"{source!r} needs Python code of its own (auto_map), and foreign code is never run; use a model and "
                "a tokenizer whose classes are in transformers"
            ) from error
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(f"cannot load a model from {source!r}: {first}") from error
    model, report = loaded
    missing = sorted(report["missing_keys"])
    if missing:
        raise UserError(
            f"{source} does not fit its architecture {type(model).__name__}: {len(missing)} weights are missing, "
            f"first {missing[0]!r}; is it a checkpoint of another model?"
        )
    _require_finite(source, model.named_parameters())
    return model.to(device).eval(), tokenizer


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
    merge: Callable[[], PreTrainedModel] | None = getattr(model, "merge_and_unload", None)
    return (merge() if merge else model), tokenizer


def _with_adapter(folder: Path, dtype: torch.dtype, device: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    from peft import PeftModel, get_peft_model_state_dict

    try:
        base = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))["base_model_name_or_path"]
    except (ValueError, KeyError) as error:
        raise UserError(f"the adapter in {folder} has a broken adapter_config.json: {error!r}") from error
    beside = folder / base
    model, tokenizer = load_merged(beside if beside.is_dir() else base, dtype=dtype, device=device)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="Found missing adapter keys")
            adapted = PeftModel.from_pretrained(model, str(folder))
    except (ValueError, RuntimeError, OSError, SafetensorError, UserWarning) as error:
        first = str(error).strip().splitlines()[0][:300]
        raise UserError(f"the adapter in {folder} does not fit its base model {base!r}: {first}") from error
    _require_finite(str(folder), get_peft_model_state_dict(adapted).items())
    return adapted.eval(), tokenizer
