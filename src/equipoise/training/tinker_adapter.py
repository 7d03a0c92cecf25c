"""The adapter of a Tinker server as a folder of this house: PEFT's format, complete, on a base that `load` knows."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError, safe_open

from equipoise.engines.tinker_model import ADAPTER_FILES, RemoteModel
from equipoise.errors import UserError
from equipoise.training.settings import Lora

ATTENTION = frozenset({"q_proj", "k_proj", "v_proj", "o_proj"})
MLP = frozenset({"gate_proj", "up_proj", "down_proj"})
"""The layers that the API's two switches put an adapter on."""

_CONFIG, _WEIGHTS = ADAPTER_FILES


def take_home(
    model: RemoteModel, name: str, folder: Path, base: str, finish: Callable[[Path], object] = lambda _: None
) -> Path:
    """The folder that then holds a server's adapter as it is now; a crash leaves either nothing or the whole of it.

    Args:
        model: The model on the server.
        name: Under which the server keeps it too; new for this model.
        folder: Where to.
        base: What the adapter names as its base: a folder beside `folder`, or what `load` knows.
        finish: Puts what else belongs there into the folder, before it has its name.

    Raises:
        UserError: When the server sends no adapter in PEFT's format.
    """
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    model.adapter(name, partial)
    targets = targets_of(partial)
    config = json.loads((partial / _CONFIG).read_text(encoding="utf-8"))
    # the server names its own folder as the base, and no layers: those are read from the weights
    told = {"base_model_name_or_path": base, "target_modules": sorted(targets), "task_type": "CAUSAL_LM"}
    whole = {**config, **told, "inference_mode": True}
    (partial / _CONFIG).write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    finish(partial)
    partial.replace(folder)
    return folder


def targets_of(folder: Path) -> frozenset[str]:
    """Last parts of the names of the layers that an adapter's weights are for.

    Raises:
        UserError: When there are none.
    """
    try:
        with safe_open(folder / _WEIGHTS, framework="numpy") as weights:
            names = list(weights.keys())
    except (OSError, SafetensorError) as error:
        raise UserError(f"the server sent no adapter: {error}; its log may say why") from error
    found = frozenset(name.split(".")[-3] for name in names if name.split(".")[-2] in ("lora_A", "lora_B"))
    if not found or not (folder / _CONFIG).is_file():
        raise UserError(f"the server sent no adapter in PEFT's format, but {sorted(p.name for p in folder.iterdir())}")
    return found


def require(model: RemoteModel, lora: Lora) -> None:
    """Nothing where a server's fresh adapter is the one that was asked for, and can be taken home.

    Raises:
        UserError: When it is on other layers, or has another scale; one line says what to set.
    """
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "first"
        model.adapter("first", folder)
        found, scale = targets_of(folder), scale_of(folder)
    wanted = frozenset(lora.targets) or ATTENTION | MLP
    if found != wanted:
        every = "[]" if found == ATTENTION | MLP else sorted(found)
        raise UserError(
            f"got lora.targets = {sorted(lora.targets)}; the server adapts {', '.join(sorted(found))} whatever it is "
            f"told: set lora.targets = {every}"
        )
    if scale != lora.alpha:
        raise UserError(f"got lora.alpha = {lora.alpha:g}; the server's adapters have {scale:g}: set that")


def scale_of(folder: Path) -> float:
    """The scale numerator, alpha, of an adapter."""
    return float(json.loads((folder / _CONFIG).read_text(encoding="utf-8"))["lora_alpha"])
