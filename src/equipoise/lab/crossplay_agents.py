"""Who takes part in a tournament: scripts by name or by where their code is, and models by name, folder or hub id.

A run folder brings along how its policy samples, since temperature and length of a reply are part of a policy, and on
which games it was trained. What a folder holds is told apart by its content, so that a tournament is never continued
with other weights under the same name.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from equipoise.core import Game, Opponent
from equipoise.errors import UserError
from equipoise.games import domain_of, script_of
from equipoise.lab.agent_origin import name_and_source, run_of, run_recipe
from equipoise.lab.results import Participant, Settings
from equipoise.models import OURS
from equipoise.models.hardware import Hardware
from equipoise.models.sources import folder_of, is_hub_id, model_folder
from equipoise.policies.policy import Policy
from equipoise.policies.scripted import ScriptedPolicy
from equipoise.registry import code_of, find, names

_WHOLE, _BLOCKS, _BLOCK = 1 << 26, 64, 1 << 16


@dataclass(frozen=True)
class Agent:
    """One participant.

    Attributes:
        name: In tables and files.
        source: A script's name, a folder or a hub id.
        kind: "script" or "model".
        sampling: How a model replies, as `policies.language_model.Sampling` takes it; empty for a script.
        content: A digest of a model folder's content or of a script's file; empty for other scripts and hub ids.
    """

    name: str
    source: str
    kind: Literal["script", "model"]
    sampling: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    content: str = ""

    def made_by(self) -> Settings:
        """What decides how the agent plays; where a folder or a file lies does not."""
        source = {} if self.content else {"source": self.source}
        return {"kind": self.kind, **source, "sampling": dict(self.sampling), "content": self.content}

    def participant(self) -> Participant:
        """Who the agent is, in a result."""
        return Participant(name=self.name, source=self.source, kind=self.kind, sampling=dict(self.sampling))


def agents_of(texts: Sequence[str], game: Game, sampling: Mapping[str, Any]) -> tuple[Agent, ...]:
    """The agents that a user named, each as AGENT or NAME=AGENT.

    Args:
        texts: As on the command line.
        game: What they will play.
        sampling: What all models' sampling shall be, where it is not the model's own.

    Raises:
        ValueError: For what is no agent, a folder without a model, or a model that was trained on other games.
    """
    return tuple(_agent(*name_and_source(text), game, sampling) for text in texts)


def _agent(name: str, source: str, game: Game, sampling: Mapping[str, Any]) -> Agent:
    if source in scripts_of(game):
        return Agent(name or source, source, "script")
    if not Path(source).exists() and _is_script(source):
        script = script_of(game, source)
        return Agent(name or _short(script.name), source, "script", content=code_of(source))
    folder = folder_of(source)
    if not folder.exists() and not is_hub_id(source):
        raise UserError(_unknown(source, game))
    own = _own_sampling(source, game)
    content = _content(model_folder(folder)) if folder.exists() else ""
    return Agent(name or _short(source), source, "model", _checked({**own, **sampling}), content)


def scripts_of(game: Game) -> dict[str, Opponent]:
    """The scripts of a game's corrected profile by name, in pools and beside them."""
    return domain_of(game).corrected.scripts


def _is_script(source: str) -> bool:
    """Whether an agent that is no script of the game is one by an installed package's name, a module or a file.

    What stands behind `module:Name` may be a script or a model; a model's folder is a path or gives one.
    """
    if ":" not in source:
        return source in names("opponent") and source not in names("model")
    try:
        find("opponent", source)
    except UserError:
        try:
            find("model", source)
        except UserError:
            return True  # then the line about the script is the one to tell
        return False
    return True


def _unknown(source: str, game: Game) -> str:
    scripts, models = [*scripts_of(game), *names("opponent")], ", ".join(OURS)
    if "/" in source:
        return f"no model folder {source!r}; give a folder with weights, a script of {game.name}, or one of {models}"
    close = difflib.get_close_matches(source, [*scripts, *OURS], n=1, cutoff=0.5)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    known = ", ".join(scripts)
    others = f"or {models}, a model folder, a run folder, package.module:Name or path/file.py:Name"
    return f"unknown agent {source!r}; scripts of {game.name}: {known}; {others}.{hint}"


def _short(source: str) -> str:
    """A name for a model: its folder's, or its run's."""
    path = Path(source)
    last = path.resolve() if path.exists() else path
    last = last.parent if last.name == "model" and path.exists() else last
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", last.name).strip("-._")[:40]
    return name or "agent"


def _own_sampling(source: str, game: Game) -> Mapping[str, Any]:
    """How a model replies as long as a user says nothing: as in its run, else long enough for the game's words.

    Raises:
        ValueError: For a run on other games, or one whose recipe cannot be read.
    """
    from equipoise.policies.language_model import usual_reply_tokens

    run = run_of(source)
    if run is None:
        return {"max_new_tokens": usual_reply_tokens(game)}
    trained = [task.game.name for task in run.tasks]
    if game.name not in trained:
        raise UserError(
            f"{source} was trained on {', '.join(trained)} (see {run_recipe(source)}), not on {game.name}; give an "
            "agent that was trained on it"
        )
    return dataclasses.asdict(run.sampling)


def _checked(sampling: Settings) -> Settings:
    from equipoise.policies.language_model import Sampling

    known = {field.name for field in dataclasses.fields(Sampling)}
    unknown = sorted(set(sampling) - known)
    if unknown:
        raise UserError(f"unknown sampling key {unknown[0]!r}; known: {', '.join(sorted(known))}")
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


def policy_of(agent: Agent, game: Game, hardware: Hardware | None = None) -> Policy:
    """The agent as a player of its name; a model is loaded once in a process, however many pairs it plays.

    Raises:
        ValueError: For a model that cannot be loaded, or a GPU that is not there.
    """
    if agent.kind == "script":
        return ScriptedPolicy(dataclasses.replace(script_of(game, agent.source), name=agent.name))
    from equipoise.policies.language_model import LanguageModelPolicy, Sampling

    engine, tokenizer = _served(agent.source, hardware or Hardware())
    return LanguageModelPolicy(agent.name, engine, tokenizer, Sampling(**agent.sampling))


def versions_of(agents: Sequence[Agent]) -> dict[str, str]:
    """Installed versions of the packages that decide how agents play."""
    found = {}
    models = any(agent.kind == "model" for agent in agents)
    for package in ("equipoise", "numpy", *(("torch", "transformers") if models else ())):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


@lru_cache
def _served(source: str, hardware: Hardware) -> tuple[Any, Any]:
    from equipoise.models.serving import served

    return served(source, hardware)
