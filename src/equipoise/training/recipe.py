"""Recipes: everything that decides a training run, as TOML whose first line is the command that runs it."""

from __future__ import annotations

import copy
import dataclasses
import difflib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from equipoise.core import AUDIT_KEY
from equipoise.games import domain, make_game
from equipoise.objectives import sepo
from equipoise.policies.language_model import Sampling
from equipoise.training.experience import PlaySettings
from equipoise.training.sft import SftSettings

SHIPPED = Path(__file__).parents[1] / "recipes"

RULES: dict[str, sepo.CreditRule] = {
    "own_pool": sepo.own_pool,
    "own_pool_immediate": sepo.own_pool_immediate,
    "shared_penalty": sepo.shared_penalty,
    "independent_penalty": sepo.independent_penalty,
    "payoff": sepo.payoff,
    "welfare": sepo.welfare,
}


@dataclass(frozen=True)
class Demonstrations:
    """What supervised training imitates.

    Attributes:
        experts: Opponent names of the game with their weights; empty switches supervised training off.
        episodes: Episodes of experts against experts.
    """

    experts: dict[str, float] = field(default_factory=dict)
    episodes: int = 1_000

    def __post_init__(self) -> None:
        for name, weight in self.experts.items():
            if not weight > 0:
                raise ValueError(f"expert {name!r} has weight {weight}; weights must be above 0")


@dataclass(frozen=True)
class Objective:
    """What reinforcement learning maximises: J = s*u - le*s*e - lc*c - lx*x, credited by one rule.

    Attributes:
        rule: Credit rule.
        exploitability: le, the weight of e.
        collusion: lc, the weight of c.
        externality: lx, the weight of x.
        discount: Discount of reward-to-go per time step.
        kl: Coefficient of the KL penalty (k3) to the model reinforcement learning starts from.
    """

    rule: str = "own_pool"
    exploitability: float = 2.4
    collusion: float = 1.0
    externality: float = 1.8
    discount: float = 1.0
    kl: float = 0.0

    def __post_init__(self) -> None:
        _known("credit rule", self.rule, RULES)
        if not self.kl >= 0:
            raise ValueError(f"got kl={self.kl}; it must be 0 or more")
        self.weights(1.0)

    def weights(self, scale: float) -> sepo.SepoWeights:
        """The weights of J for a game of this scale."""
        return sepo.SepoWeights(self.exploitability, self.collusion, self.externality, scale, self.discount)


@dataclass(frozen=True)
class Lora:
    """A low-rank adapter in place of full fine-tuning.

    Attributes:
        rank: Rank; 0 trains all weights.
        alpha: Scale numerator.
        targets: Names of the modules that get one; empty means all linear layers.
    """

    rank: int = 0
    alpha: float = 32.0
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj")

    def __post_init__(self) -> None:
        if self.rank < 0:
            raise ValueError(f"got lora rank {self.rank}; allowed: 0 (off) or more")


@dataclass(frozen=True)
class Optimisation:
    """How reinforcement learning steps.

    Attributes:
        steps: On-policy steps, one optimizer step each; 0 switches reinforcement learning off.
        learning_rate: Of AdamW, decayed linearly to zero.
        micro_batches: Parts the rows of a step are split into to save memory.
        save_every: Steps between checkpoints.
        exact_every: Steps between exact NashConv values on the curve, and between lines in the log targets.
        report_to: Trainer's log targets, for example "tensorboard".
    """

    steps: int = 100
    learning_rate: float = 4e-4
    micro_batches: int = 1
    save_every: int = 20
    exact_every: int = 5
    report_to: tuple[str, ...] = ("tensorboard",)

    def __post_init__(self) -> None:
        for name in ("micro_batches", "save_every", "exact_every", "learning_rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"got {name}={getattr(self, name)}; it must be above 0")
        if self.steps < 0:
            raise ValueError(f"got steps={self.steps}; allowed: 0 (no reinforcement learning) or more")


@dataclass(frozen=True)
class Recipe:
    """One training run.

    Attributes:
        game: Name of the game.
        game_parameters: What its constructor takes.
        model: "tiny", a folder, or a hub id.
        seed: Keys everything random.
        demonstrations: What supervised training imitates.
        sft: How supervised training runs.
        play: Which games a reinforcement step plays.
        objective: What is maximised.
        rl: How reinforcement learning steps.
        lora: Adapter settings.
        sampling: Temperature and reply length.
    """

    game: str = "kuhn_poker"
    game_parameters: dict[str, Any] = field(default_factory=dict)
    model: str = "tiny"
    seed: int = 0
    demonstrations: Demonstrations = field(default_factory=Demonstrations)
    sft: SftSettings = field(default_factory=SftSettings)
    play: PlaySettings = field(default_factory=PlaySettings)
    objective: Objective = field(default_factory=Objective)
    rl: Optimisation = field(default_factory=Optimisation)
    lora: Lora = field(default_factory=Lora)
    sampling: Sampling = field(default_factory=Sampling)

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**31 or self.seed == AUDIT_KEY:
            raise ValueError(f"got seed {self.seed}; allowed: 0 to 2147483647 except {AUDIT_KEY}, which keys audits")
        pools = domain(self.game).pools
        make_game(self.game, **self.game_parameters)
        held_out = {opponent.name for opponent in pools.held_out}
        for name in (*self.demonstrations.experts, *self.play.train_pool):
            pools.find(name)
            if name in held_out:
                raise ValueError(f"opponent {name!r} is held out for audits; train on another")

    def to_toml(self) -> str:
        """The resolved recipe as TOML."""
        lines, tables = [], []
        for key, value in dataclasses.asdict(self).items():
            if isinstance(value, dict):
                tables.append((key, value))
            else:
                lines.append(f"{key} = {_toml(value)}")
        for key, value in tables:
            lines += ["", f"[{key}]", *(f"{k} = {_toml(v)}" for k, v in value.items())]
        return "\n".join(lines) + "\n"


def find_recipe(name: str) -> Path:
    """The file of a recipe given as a path, as `game/name`, or as a game (its first recipe).

    Raises:
        ValueError: Nothing of that name; one line that lists what there is.
    """
    path = Path(name)
    if path.suffix == ".toml":
        return path
    shipped = sorted(SHIPPED.glob("*/*.toml"))
    names = {f"{p.parent.name}/{p.stem}": p for p in shipped}
    names |= {p.parent.name: p for p in reversed(shipped)}
    _known("recipe", name, names)
    return names[name]


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe from a TOML file, with `section.key=value` overrides.

    Raises:
        ValueError: A missing file, broken TOML, an unknown key, or a value that is not allowed; one line each.
    """
    if not path.is_file():
        raise ValueError(f"no recipe file {str(path)!r}; give a .toml file or a game's name")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path} is not valid TOML: {error}") from None
    return parse_recipe(table, overrides)


def parse_recipe(table: Mapping[str, Any], overrides: Sequence[str] = ()) -> Recipe:
    """A recipe from nested mappings, with `section.key=value` overrides; unknown keys are errors."""
    merged: dict[str, Any] = copy.deepcopy(dict(table))
    for text in overrides:
        key, separator, value = text.partition("=")
        if not separator:
            raise ValueError(f"override {text!r} has no '='; write section.key=value, for example rl.steps=50")
        *sections, leaf = key.strip().split(".")
        target = merged
        for section in sections:
            target = target.setdefault(section, {})
            if not isinstance(target, dict):
                raise ValueError(f"override {text!r}: {section!r} is not a section")
        target[leaf] = _value(value.strip())
    recipe: Recipe = _build(Recipe, merged, "")
    return recipe


def _build(kind: type, table: Mapping[str, Any], where: str) -> Any:
    known = {f.name: f for f in dataclasses.fields(kind)}
    values: dict[str, Any] = {}
    for key, value in table.items():
        _known(f"recipe key in [{where}]" if where else "recipe key", key, known)
        default = known[key].default_factory
        if dataclasses.is_dataclass(default):
            if not isinstance(value, Mapping):
                raise ValueError(f"recipe key {key!r} is a section; got {value!r}")
            values[key] = _build(default, value, key)
        else:
            values[key] = _typed(f"{where}.{key}" if where else key, value, known[key])
    return kind(**values)


def _typed(name: str, value: Any, known: dataclasses.Field[Any]) -> Any:
    default = known.default_factory() if callable(known.default_factory) else known.default
    if isinstance(default, tuple) and isinstance(value, list):
        return tuple(value)
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not type(default):
        raise ValueError(f"recipe key {name!r} takes a {type(default).__name__}; got {value!r}")
    return value


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        return text


def _known(what: str, name: str, known: Mapping[str, Any]) -> None:
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"unknown {what} {name!r}; known: {', '.join(known)}.{hint}")


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
