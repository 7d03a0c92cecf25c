"""Opens the engine that serves a model: this process, or another by its name.

An engine is registered as a function of a `Service`. It serves the model of a name, or, in training, the weights of a
model that is in this process and moves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from equipoise.errors import UserError, said
from equipoise.models.hardware import Hardware
from equipoise.models.sources import folder_of, json_object, model_in
from equipoise.registry import described, find, read_function

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from equipoise.engines.engine import Engine


@dataclass(frozen=True)
class Service:
    """What an engine is opened for.

    Attributes:
        source: The model: an embedded one's name, a folder, a hub id.
        hardware: Where it is to compute.
        model: In training the model in this process, which moves; else None, and the engine loads what it needs.
    """

    source: str
    hardware: Hardware
    model: PreTrainedModel | None = None

    @cached_property
    def loaded(self) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
        """The source, loaded into this process once."""
        from equipoise.models.load import load

        return load(self.source, **self.hardware.loading())


Opens = Callable[[Service], "Engine"]
"""What an engine is registered as."""

OURS: Mapping[str, str] = {
    "local": "equipoise.models.serving:local",
    "tinker": "equipoise.models.serving:tinker",
    "vllm": "equipoise.models.serving:vllm",
}
"""Where the registry finds our engines."""


def local(service: Service) -> Engine:
    """The engine of this process."""
    from equipoise.engines.local import LocalEngine

    return LocalEngine(service.loaded[0] if service.model is None else service.model)


def tinker(service: Service) -> Engine:
    """The engine of a server of the Tinker API, whose address is in TINKER_BASE_URL.

    It serves its base model, and adapters that were trained on it: their folder says where it has them.
    """
    from equipoise.engines.tinker import TinkerEngine
    from equipoise.engines.tinker_server import STATE, TinkerServer
    from equipoise.models.load import base_of, words_of

    if service.model is not None:
        raise UserError("the engine 'tinker' serves no model of this process; it trains on its server")
    (vocabulary, stops), base = words_of(service.source), base_of(service.source)
    inside = model_in(folder_of(service.source))
    adapter = inside if inside is not None and str(inside) != base else None
    if adapter is not None and not (adapter / STATE).is_file():
        raise UserError(f"no Tinker server has the adapter in {adapter}; use --engine local")
    engine = TinkerEngine(TinkerServer(base=base if adapter else service.source), vocabulary, stops)
    if adapter is not None:
        engine.recall("", json_object(adapter / STATE)["state"])
    return engine


def vllm(service: Service) -> Engine:
    """vLLM in this process; beside it the model is kept in training alone."""
    from equipoise.engines.vllm import VllmEngine

    model = service.loaded[0].requires_grad_(False) if service.model is None else service.model
    return VllmEngine(model, service.hardware.vllm)


def read_engine(found: object, name: str) -> Opens:
    """What somebody registered as an engine: a function of a `Service` that gives one.

    Raises:
        UserError: For anything else.
    """
    opens: Opens = read_function(found, name, "a function of a `Service` that opens an engine", 1)
    return opens


def served(source: str, hardware: Hardware) -> tuple[Engine, PreTrainedTokenizerBase]:
    """The engine that serves a model by name, and the model's tokenizer.

    Raises:
        UserError: For an unknown engine, or one that cannot serve the model; one line.
    """
    from equipoise.models.load import tokenizer_of

    service = Service(source, hardware)
    engine = opened(service)
    return engine, service.loaded[1] if "loaded" in vars(service) else tokenizer_of(source)


def opened(service: Service) -> Engine:
    """The engine of a service.

    Raises:
        UserError: As `served`.
    """
    name = service.hardware.engine
    opens = find("engine", name)
    try:
        engine: Any = opens(service)
    except ImportError as error:
        raise UserError(f"the engine {name!r} needs a package that is not installed: {said(error)}") from error
    for part in ("can", "vocabulary", "stops", "sample", "put", "drop", "close"):
        if not hasattr(engine, part):
            raise UserError(f"the engine {name!r} gave {described(engine)}, which has no {part!r}; see `Engine`")
    checked: Engine = engine
    return checked
