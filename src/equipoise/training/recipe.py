"""Recipes: everything that decides a training run, as TOML whose first line is the command that runs it."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from equipoise.core import Game
from equipoise.errors import UserError
from equipoise.games import DOMAINS, SEPO_GAMES, Profile, domain, make_game
from equipoise.games.domain import ProfileName
from equipoise.models.hardware import Hardware
from equipoise.objectives.rules import POOL_RULES, SELF_PLAY_RULES, rule
from equipoise.objectives.sepo import CreditWeights
from equipoise.policies.language_model import Sampling
from equipoise.training.defaults import default_table
from equipoise.training.demonstrations import Demonstrations, trainable
from equipoise.training.exact_play import check_enumerable
from equipoise.training.experience import PlaySettings
from equipoise.training.population import PastSettings
from equipoise.training.selection import SelectionSettings
from equipoise.training.self_play import SelfPlaySettings
from equipoise.training.settings import Lora, Objective, Optimisation
from equipoise.training.sft import SftSettings
from equipoise.training.tables import build, changed, check_known, check_numbers, from_text, to_toml

SHIPPED = Path(__file__).parents[1] / "recipes"
ALL = "all"
OWN_SECTIONS = ("parameters", "demonstrations", "play", "self_play", "past", "objective")
"""What `[by_game.NAME]` may change for one game."""


@dataclass(frozen=True)
class Task:
    """One game of a run with the settings that hold for it.

    Attributes:
        game: The game, its parameters set.
        profile: Its opponents and hazards.
        demonstrations: What supervised training imitates.
        play: What a reinforcement step plays against the pools.
        self_play: What it plays against itself.
        past: Whom self-play meets beside the present self.
        objective: What is maximised.
    """

    game: Game
    profile: Profile
    demonstrations: Demonstrations
    play: PlaySettings
    self_play: SelfPlaySettings
    past: PastSettings
    objective: Objective

    def __post_init__(self) -> None:
        self.demonstrations.weighted_experts(self.profile)
        for name in (*self.play.train_pool, *self.past.scripts):
            trainable(self.profile, name)
        if self.objective.pools is not None:
            self._check_pools()

    def _check_pools(self) -> None:
        """Nothing for a game that has what play against the pools needs."""
        allowed = f"rules of self-play need none: {', '.join(SELF_PLAY_RULES)}"
        if self.game.num_players != 2:
            raise UserError(
                f"{self.game.name} has {self.game.num_players} players and SEPO's rules are for two; {allowed}"
            )
        pools, made = self.profile.pools, set(self.play.adversaries) - {"pool"}
        if not (made or pools.train or self.play.train_pool or pools.exploiter):
            raise UserError(
                f"{self.game.name} has no pools for objective.rule={self.objective.rule!r}; play against an adversary "
                f"made to measure (play.adversaries) needs none, and {allowed}"
            )

    @property
    def weights(self) -> CreditWeights:
        """The weights of the objective in this game."""
        return self.objective.weights(self.game, self.profile)


@dataclass(frozen=True)
class Recipe:
    """One training run.

    Attributes:
        game: Name of the game; empty where `games` names several.
        games: Names of the games of a joint run, or ["all"].
        game_parameters: What the game's constructor takes.
        profile: "corrected" or "published": whose opponents, hazards and weights.
        by_game: What differs for one game: [by_game.NAME] with sections of `OWN_SECTIONS`.
        model: "tiny" or "tiny-talk" (embedded), "smollm2", a folder, or a hub id.
        seed: Keys everything random.
        demonstrations: What supervised training imitates.
        sft: How supervised training runs.
        play: Which games a reinforcement step plays against the pools, for SEPO's credit rules.
        self_play: Which games it plays against itself, for the credit rules of self-play.
        past: Whom self-play meets beside the present self.
        objective: What is maximised.
        rl: How reinforcement learning steps.
        selection: Which policy of the run becomes its model.
        lora: Adapter settings.
        sampling: Temperature and reply length.
        hardware: Engine, device and precision.
    """

    game: str = "kuhn_poker"
    games: tuple[str, ...] = ()
    game_parameters: dict[str, Any] = field(default_factory=dict)
    profile: ProfileName = "corrected"
    by_game: dict[str, Any] = field(default_factory=dict)
    model: str = "tiny"
    seed: int = 0
    demonstrations: Demonstrations = field(default_factory=Demonstrations)
    sft: SftSettings = field(default_factory=SftSettings)
    play: PlaySettings = field(default_factory=PlaySettings)
    self_play: SelfPlaySettings = field(default_factory=SelfPlaySettings)
    past: PastSettings = field(default_factory=PastSettings)
    objective: Objective = field(default_factory=Objective)
    rl: Optimisation = field(default_factory=Optimisation)
    selection: SelectionSettings = field(default_factory=SelectionSettings)
    lora: Lora = field(default_factory=Lora)
    sampling: Sampling = field(default_factory=Sampling)
    hardware: Hardware = field(default_factory=Hardware)

    def __post_init__(self) -> None:
        check_numbers(self)
        if not 0 <= self.seed < 2**31:
            raise UserError(f"got seed {self.seed}; allowed: 0 to 2147483647")
        if self.sampling.deterministic:
            raise UserError(
                "got sampling.temperature = 0; a greedy policy has no gradient, so training needs more than 0"
            )
        if bool(self.game) == bool(self.games):
            raise UserError(
                f"got game={self.game!r} and games={list(self.games)}; give one of them: a game, or a list of games"
            )
        if self.games == (ALL,):
            object.__setattr__(self, "games", SEPO_GAMES)
        if len(set(self.games)) < len(self.games):
            raise UserError(f"got games={list(self.games)}; each game may be named once")
        if self.games and self.game_parameters:
            raise UserError("game_parameters belong to a run of one game; write [by_game.NAME] parameters = { ... }")
        for name in self.names:
            domain(name)
        for name in self.by_game:
            check_known("game of this recipe in [by_game]", name, dict.fromkeys(self.names))
        poolless = [t.game.name for t in self.tasks if t.game.num_players != 2 or not any(t.profile.pools.all())]
        if self.selection.every and poolless:
            raise UserError(f"{poolless[0]} has no pools of two players to choose a policy by; set selection.every = 0")
        called = [task.game.name for task in self.tasks]
        if len(set(called)) < len(called):
            raise UserError(f"two games of this recipe are both called {max(called, key=called.count)!r}; train one")
        for task in self.tasks:
            {"sampled": _check_sampled, "exact": _check_exact}[self.rl.gradient](task, self.sampling)

    @property
    def names(self) -> tuple[str, ...]:
        """The games of the run."""
        return self.games or (self.game,)

    @property
    def title(self) -> str:
        """The run's games in one word, for folders and headings."""
        return "all" if self.games == SEPO_GAMES else "+".join(task.game.name for task in self.tasks)

    @property
    def imitates(self) -> bool:
        """Whether the run has a supervised stage."""
        return any(task.demonstrations.experts for task in self.tasks)

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """Each game with the settings that hold for it."""
        return tuple(self._task(name) for name in self.names)

    def to_toml(self) -> str:
        """The resolved recipe as TOML."""
        return to_toml(self)

    def _task(self, name: str) -> Task:
        own, where = self.by_game.get(name, {}), f"by_game.{name}"
        if not isinstance(own, Mapping):
            raise UserError(f"recipe key {where!r} is a section; got {own!r}")
        for key in own:
            check_known(f"recipe key in [{where}]", key, dict.fromkeys(OWN_SECTIONS))
            if not isinstance(own[key], Mapping):
                raise UserError(f"recipe key '{where}.{key}' is a section; got {own[key]!r}")
        if "kl" in own.get("objective", {}):
            raise UserError(f"{where}.objective.kl: the KL penalty is one for the whole run; set objective.kl")
        profile = domain(name).profile(self.profile)
        parameters = {**profile.parameters, **self.game_parameters, **own.get("parameters", {})}
        return Task(
            make_game(name, **parameters),
            profile,
            changed(self.demonstrations, own.get("demonstrations", {}), f"{where}.demonstrations"),
            changed(self.play, own.get("play", {}), f"{where}.play"),
            changed(self.self_play, own.get("self_play", {}), f"{where}.self_play"),
            changed(self.past, own.get("past", {}), f"{where}.past"),
            changed(self.objective, own.get("objective", {}), f"{where}.objective"),
        )


def _check_sampled(task: Task, sampling: Sampling) -> None:
    """Nothing for a task that asks for nothing that only exact gradients have."""
    for name in ("legal", "legal_entropy"):
        if getattr(task.objective, name):
            raise UserError(
                f"got objective.{name}={getattr(task.objective, name)}, which counts every legal reply; it needs "
                "rl.gradient = 'exact', or leave it at 0"
            )


def _check_exact(task: Task, sampling: Sampling) -> None:
    """Nothing for a task whose gradient can be enumerated, if its game is small enough."""
    asked, objective = "got rl.gradient = 'exact'", task.objective
    allowed = f"allowed: {', '.join(name for name in POOL_RULES if rule(name).expectation)}"
    if objective.self_play is not None:
        raise UserError(f"{asked} with a rule of self-play in objective.rule; {allowed}")
    if objective.expectation is None:
        raise UserError(f"{asked} with objective.rule = {objective.rules[0]!r}, which states no expectation; {allowed}")
    if sampling.reasoning != "none":
        raise UserError(
            f"{asked} with sampling.reasoning = {sampling.reasoning!r}; an action's probability would be a sum over "
            "all reasons: set it to 'none', or use 'sampled'"
        )
    check_enumerable(task.game, task.play)


def find_recipe(name: str) -> Path:
    """The file of a recipe given as a path, as `folder/name`, as a folder (its first recipe), or as a SEPO game.

    Raises:
        ValueError: Nothing of that name; one line that lists what there is.
    """
    path = Path(name)
    if path.suffix == ".toml":
        return path
    names = _shipped()
    check_known("recipe", name, names)
    return names[name]


def load_recipe(source: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe by name or from a TOML file, with `section.key=value` overrides.

    Args:
        source: A .toml file, or what `find_recipe` takes, or a game, for which a recipe is derived where none ships.
        overrides: What to change in it.

    Raises:
        ValueError: A missing file, broken TOML, an unknown key, or a value that is not allowed; one line each.
    """
    if isinstance(source, str) and Path(source).suffix != ".toml":
        if source not in _shipped() and _is_game(source):
            return parse_recipe(default_table(source), overrides)
        source = find_recipe(source)
    path = Path(source)
    if not path.is_file():
        raise UserError(f"no recipe file {str(path)!r}; give a .toml file or a game's name")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text; save it in that encoding") from None
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path} is not valid TOML: {error}") from None
    except (ValueError, RecursionError):  # thousands of digits, or of brackets
        raise UserError(f"{path} holds a number that is too long, or is nested too deep") from None
    return parse_recipe(table, overrides)


def default_recipe(game: str) -> Recipe:
    """A recipe for a game that ships none, by what the game has.

    The exact best response where it is zero-sum with a small tree, else SEPO against its pools, else self-play.

    Raises:
        UserError: For an unknown game, or one that is not for two.
    """
    return parse_recipe(default_table(game))


def label_of(name: str) -> str:
    """A recipe's name in one word: its file's, or "default" where it is derived from the game."""
    return find_recipe(name).stem if Path(name).suffix == ".toml" or name in _shipped() else "default"


def _shipped() -> dict[str, Path]:
    """The shipped recipes by every name they have."""
    shipped = sorted(SHIPPED.glob("*/*.toml"))
    names = {f"{p.parent.name}/{p.stem}": p for p in shipped}
    names |= {p.stem: p for p in shipped if p.stem in DOMAINS}
    return names | {p.parent.name: p for p in reversed(shipped)}


def _is_game(name: str) -> bool:
    """Whether a game has this name; one that is named by module or file and cannot be had says why."""
    try:
        domain(name)
    except UserError:
        if ":" in name:
            raise
        return False
    return True


def parse_recipe(table: Mapping[str, Any], overrides: Sequence[str] = ()) -> Recipe:
    """A recipe from nested mappings, with `section.key=value` overrides; unknown keys are errors.

    A recipe that names `games` has no default `game`. An override of one takes the place of both, and what the recipe
    says in [by_game] of games that are then left out no longer counts.
    """
    try:
        merged: dict[str, Any] = copy.deepcopy(dict(table))
    except RecursionError:
        raise UserError(
            "the recipe is nested too deep; its keys are section.key, or by_game.NAME.section.key"
        ) from None
    for text in overrides:
        key, separator, value = text.partition("=")
        if not separator:
            raise UserError(f"override {text!r} has no '='; write section.key=value, for example rl.steps=50")
        *sections, leaf = key.strip().split(".")
        target = merged
        for section in sections:
            target = target.setdefault(section, {})
            if not isinstance(target, dict):
                raise UserError(f"override {text!r}: {section!r} is not a section")
        chosen = not sections and leaf in ("game", "games")
        if chosen:
            merged.pop("game", None)
            merged.pop("games", None)
        target[leaf] = from_text(value.strip())
        if chosen:
            _leave_out_other_games(merged, table)
    if merged.get("games"):
        merged.setdefault("game", "")
    return build(Recipe, merged)


def _leave_out_other_games(merged: dict[str, Any], table: Mapping[str, Any]) -> None:
    """Drops the recipe's own [by_game] sections of games that are no longer in it; one that was overridden stays."""
    names, before, after = merged.get("games") or [merged.get("game")], table.get("by_game"), merged.get("by_game")
    if names == [ALL] or not isinstance(names, list) or not isinstance(before, dict) or not isinstance(after, dict):
        return  # all games, or something that is refused when the recipe is built
    merged["by_game"] = {name: own for name, own in after.items() if name in names or own != before.get(name)}


__all__ = [
    "SHIPPED",
    "Recipe",
    "Task",
    "default_recipe",
    "find_recipe",
    "label_of",
    "load_recipe",
    "parse_recipe",
]
