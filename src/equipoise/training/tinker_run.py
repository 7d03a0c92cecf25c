"""Reinforcement learning of a run whose model is on a Tinker server: what `run` does in this process."""

from __future__ import annotations

import json
from pathlib import Path

from equipoise.engines.tinker import TinkerEngine
from equipoise.engines.tinker_server import STATE
from equipoise.errors import UserError
from equipoise.models.serving import served
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.seeds import Seed, Use
from equipoise.training.curve import Curve, indices
from equipoise.training.joint import JointPlay
from equipoise.training.play import AGENT, Experience
from equipoise.training.recipe import Recipe
from equipoise.training.run import steps_of
from equipoise.training.selection import Selection
from equipoise.training.tinker_adapter import take_home
from equipoise.training.tinker_trainer import Playing, TinkerTrainer
from equipoise.training.two_agents import has_two_agents

ROWS_IN = 32
"""Rows are sent in multiples of this: SkyRL's JAX backend compiles a program for every number of rows that it meets."""


def check(recipe: Recipe) -> None:
    """Nothing for a recipe that a Tinker server can train.

    Raises:
        UserError: For any other; one line says what to change.
    """
    if recipe.imitates:
        raise UserError(
            "the engine 'tinker' trains from the server's base model; train on demonstrations with rl.steps = 0 first, "
            "serve the run's sft/ folder, and set demonstrations.experts = {}"
        )
    if has_two_agents(recipe):
        raise UserError("two agents are two adapters of one model in this process; use --engine local")
    if recipe.hardware.optimizer != "adamw":
        raise UserError(
            f"got hardware.optimizer = {recipe.hardware.optimizer!r}, and the server of the engine 'tinker' has an "
            "optimizer of its own; leave it at 'adamw'"
        )
    if not recipe.rl.steps:
        raise UserError("got rl.steps = 0; the engine 'tinker' is for reinforcement learning")


def reinforce(recipe: Recipe, plays: JointPlay, out: Path, label: str) -> None:
    """Takes the steps that are left and puts the chosen policy into `model/`, as an adapter on the recipe's model."""
    engine, tokenizer = served(recipe.model, recipe.hardware)
    assert isinstance(engine, TinkerEngine)
    policy = LanguageModelPolicy(AGENT, engine, tokenizer, recipe.sampling)
    curve = Curve(recipe, policy)

    def save(folder: Path) -> None:
        def finish(partial: Path) -> None:
            (partial / STATE).write_text(trainer.kept, encoding="utf-8")
            tokenizer.save_pretrained(partial)

        take_home(trainer.model, f"home-{folder.name}", folder, recipe.model, finish)

    def collect(step: int) -> Experience:
        if recipe.selection.every and step and step % recipe.selection.every == 0:
            selection(step).consider(step)
        experience = plays.collect(policy, Seed(recipe.seed).at(Use.STEP, step), step)
        if step % recipe.rl.exact_every == 0:
            experience.metrics.update(curve.figures())
        return experience

    def selection(step: int) -> Selection:
        return Selection(out, lambda: indices(recipe, policy), save, step)

    trainer = TinkerTrainer(
        engine,
        steps_of(recipe),
        recipe.lora,
        out,
        Playing(collect, plays.state, plays.restore),
        kl=recipe.objective.kl,
        kl_every=recipe.rl.exact_every,
        rows_in=ROWS_IN,
        label=label,
    )
    try:
        trainer.train()
        with (out / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": recipe.rl.steps + 1, **curve.figures()}) + "\n")
        if recipe.selection.every:
            chosen = selection(recipe.rl.steps)
            chosen.consider(recipe.rl.steps)
            chosen.choose().replace(out / "model")
            chosen.clear()
        else:
            save(out / "model")
        trainer.model.close()
    finally:
        engine.close()
