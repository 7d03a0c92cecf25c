"""Who takes part in a tournament: scripts of the game by name, and models by folder or hub id.

A run folder brings along how its policy samples, since temperature and length of a reply are part of a policy, and on
which games it was trained. What a folder holds is told apart by its content, so that a tournament is never continued
with other weights under the same name.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from equipoise.core import Game, Opponent
from equipoise.games import DOMAINS, domain
from equipoise.models import EMBEDDED
from equipoise.policies.policy import Policy
from equipoise.policies.scripted import ScriptedPolicy

Device = Literal["auto", "cpu", "cuda"]
Dtype = Literal["float32", "bfloat16"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_WHOLE, _BLOCKS, _BLOCK = 1 << 26, 64, 1 << 16


@dataclass(frozen=True)
class Agent:
    """One participant.

    Attributes:
        name: In tables and files.
        source: A script's name, a folder or a hub id.
        kind: "script" or "model".
        sampling: How a model replies, as `policies.language_model.Sampling` takes it; empty for a script.
        content: A digest of a model folder's content; empty for scripts and hub ids.
    """

    name: str
    source: str
    kind: Literal["script", "model"]
    sampling: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    content: str = ""

    def made_by(self) -> dict[str, Any]:
        """What decides how the agent plays; where a folder lies does not."""
        source = {} if self.content else {"source": self.source}
        return {"kind": self.kind, **source, "sampling": dict(self.sampling), "content": self.content}


def agents_of(texts: Sequence[str], game: Game, sampling: Mapping[str, Any]) -> tuple[Agent, ...]:
    """The agents that a user named, each as AGENT or NAME=AGENT.

    Args:
        texts: As on the command line.
        game: What they will play.
        sampling: What all models' sampling shall be, where it is not the model's own.

    Raises:
        ValueError: For what is no agent, a folder without a model, or a model that was trained on other games.
    """
    found = []
    for text in texts:
        name, separator, source = text.partition("=")
        if not (separator and _NAME.fullmatch(name)):
            name, source = "", text
        found.append(_agent(name, source, game, sampling))
    return tuple(found)


def _agent(name: str, source: str, game: Game, sampling: Mapping[str, Any]) -> Agent:
    if not source:
        raise ValueError(f"got an agent without a source: {name + '='!r}; write NAME=AGENT, for example mine=runs/mine")
    if source in scripts_of(game):
        return Agent(name or source, source, "script")
    folder = Path(source)
    own: Mapping[str, Any] = {}
    content = ""
    if source in EMBEDDED and not folder.exists():
        content = _content(EMBEDDED[source])
    elif folder.exists():
        model = _model_folder(folder)
        own, content = _of_run(source, model, game), _content(model)
    elif source.count("/") != 1 or source.startswith((".", "/")) or folder.parent.is_dir():
        raise ValueError(_unknown(source, game))
    return Agent(name or _short(source), source, "model", _checked({**_usual(game), **own, **sampling}), content)


def scripts_of(game: Game) -> dict[str, Opponent]:
    """The scripts of a game's corrected profile by name, in pools and beside them."""
    profile = domain(game.name).corrected
    return {o.name: o for o in (*(opponent for _, opponent in profile.pools.all()), *profile.players)}


def _unknown(source: str, game: Game) -> str:
    scripts, embedded = scripts_of(game), ", ".join(EMBEDDED)
    if "/" in source:
        return f"no model folder {source!r}; give a folder with weights, a script of {game.name}, or one of {embedded}"
    close = difflib.get_close_matches(source, [*scripts, *EMBEDDED], n=1, cutoff=0.5)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    known = ", ".join(scripts)
    others = f"or {embedded}, a model folder, a run folder"
    return f"unknown agent {source!r}; scripts of {game.name}: {known}; {others}.{hint}"


def _short(source: str) -> str:
    """A name for a model: its folder's, or its run's."""
    path = Path(source)
    last = path.resolve() if path.exists() else path
    last = last.parent if last.name == "model" and path.exists() else last
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", last.name).strip("-._")[:40]
    return name or "agent"


def _model_folder(folder: Path) -> Path:
    """Where in a model or run folder the model is."""
    if not folder.is_dir():
        raise ValueError(f"{folder} is a file; give the folder that holds the model")
    for inside in (folder / "model", folder):
        if (inside / "adapter_config.json").exists() or (inside / "config.json").exists():
            return inside
    found = ", ".join(sorted(p.name for p in folder.iterdir())[:5]) or "nothing"
    raise ValueError(f"{folder} is no model folder: it holds {found}; needed: config.json and *.safetensors")


def _of_run(source: str, model: Path, game: Game) -> Mapping[str, Any]:
    """How the policy of a run samples, by the run's recipe; empty for a model that is in no run folder.

    Raises:
        ValueError: For a run on other games, or a recipe that cannot be read.
    """
    path = _recipe_of(model)
    if path is None:
        return {}
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path} is not valid TOML: {error}") from None
    names = table.get("games") or [table.get("game")]
    names = list(DOMAINS) if names == ["all"] else names
    if game.name not in names:
        trained = ", ".join(str(name) for name in names)
        raise ValueError(f"{source} was trained on {trained} (see {path}), not on {game.name}; leave it out")
    sampling: Mapping[str, Any] = table.get("sampling", {})
    return sampling


def _recipe_of(model: Path) -> Path | None:
    """The recipe of the run that a model folder belongs to: the folder itself, or a run folder around it."""
    here = model.resolve()
    for folder in (here, *list(here.parents)[:3]):
        recipe = folder / "recipe.toml"
        own = folder == here or folder / "model" == here or (folder / "versions.json").is_file()
        if own and recipe.is_file():
            return recipe
    return None


def _usual(game: Game) -> dict[str, Any]:
    """How a model samples that says nothing itself: replies long enough for the game's words."""
    from equipoise.policies.language_model import usual_reply_tokens

    return {"max_new_tokens": usual_reply_tokens(game)}


def _checked(sampling: Mapping[str, Any]) -> dict[str, Any]:
    from equipoise.policies.language_model import Sampling

    known = {field.name for field in dataclasses.fields(Sampling)}
    unknown = sorted(set(sampling) - known)
    if unknown:
        raise ValueError(f"unknown sampling key {unknown[0]!r}; known: {', '.join(sorted(known))}")
    return dataclasses.asdict(Sampling(**sampling))


def _content(model: Path) -> str:
    """A digest of a model folder's weights and settings; of a large file the size and blocks all over it."""
    digest = hashlib.sha256()
    for path in sorted([*model.glob("*.safetensors"), *model.glob("*.json"), *model.glob("*.jinja")]):
        size = path.stat().st_size
        digest.update(f"{path.name} {size}\n".encode())
        with path.open("rb") as file:
            if size <= _WHOLE:
                digest.update(file.read())
                continue
            for block in range(_BLOCKS):
                file.seek(block * (size - _BLOCK) // (_BLOCKS - 1))
                digest.update(file.read(_BLOCK))
    return digest.hexdigest()[:16]


def policy_of(agent: Agent, game: Game, device: Device = "auto", dtype: Dtype = "float32") -> Policy:
    """The agent as a player; a model is loaded once in a process, however many pairs it plays.

    Raises:
        ValueError: For a model that cannot be loaded, or a GPU that is not there.
    """
    if agent.kind == "script":
        return ScriptedPolicy(scripts_of(game)[agent.source])
    from equipoise.policies.language_model import LanguageModelPolicy, Sampling

    model, tokenizer = _loaded(agent.source, device, dtype)
    return LanguageModelPolicy(agent.name, model, tokenizer, Sampling(**agent.sampling))


@lru_cache
def _loaded(source: str, device: Device, dtype: Dtype) -> tuple[Any, Any]:
    from equipoise.models.load import load
    from equipoise.training.run import DTYPES, device_of
    from equipoise.training.settings import Hardware

    return load(source, dtype=DTYPES[dtype], device=device_of(Hardware(device, dtype)))
