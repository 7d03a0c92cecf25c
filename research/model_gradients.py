"""What each credit rule's gradient is worth on a language model itself, at one fixed checkpoint.

    python -m research.model_gradients runs/sepo/prisoners_dilemma/sft-0 --batches 24 --out results/sepo

The checkpoint of this example is the supervised model of seed 0 of `equipoise reproduce sepo`, whose page shows the
gradients.json that is written here.

No exact gradient exists for a language model, so the true one is estimated by own-pool credit, which is unbiased where
the gate of e does not flicker, on batches that no other estimate shares. A plain cosine between two noisy vectors is
too small: it is divided by the root of both vectors' own reliabilities, each from two halves of the batches. The
interval resamples batches.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from equipoise.core import Estimate
from equipoise.errors import UserError
from equipoise.files import write_atomically
from equipoise.models.load import load
from equipoise.objectives import sepo
from equipoise.objectives.rules import POOL_RULES
from equipoise.objectives.rules import rule as rule_of
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.seeds import Seed, Use
from equipoise.training.experience import SepoPlay
from equipoise.training.loss import examples_of
from equipoise.training.passes import passes
from equipoise.training.play import AGENT, Experience, trained_model
from equipoise.training.recipe import Recipe, find_recipe, load_recipe
from equipoise.training.settings import PASS_TOKENS
from research.command import exit_code

COMPARED = ("own_pool", "own_pool_immediate", "payoff", "shared_penalty", "independent_penalty")
"""The credit rules whose gradients are compared with the true one."""

RESAMPLES = 400
FEWEST_BATCHES = 4
"""Two halves of two batches."""


@dataclass(frozen=True)
class RuleGradient:
    """What one rule's mean gradient is worth.

    Attributes:
        rule: Its name.
        cosine: Cosine between its expected gradient and the true one, corrected for noise.
        ratio: Length of its projection on the true gradient, relative to the true gradient's.
        episodes: Episodes behind its own estimate.
    """

    rule: str
    cosine: Estimate
    ratio: Estimate
    episodes: int = 0


def model_gradients(source: str, recipe: Recipe, rules: Sequence[str], batches: int, seed: int) -> list[RuleGradient]:
    """Cosine and ratio of each rule's expected gradient with the true gradient of J, on the model in `source`.

    Args:
        source: The checkpoint.
        recipe: Its game, play and weights.
        rules: Names of credit rules.
        batches: Batches per estimate; each is one training step's play.
        seed: Keys all play.

    Raises:
        UserError: For fewer than 4 batches (two halves need two each) or an unknown rule.
    """
    if batches < FEWEST_BATCHES:
        raise UserError(f"got {batches} batches; at least {FEWEST_BATCHES} are needed for two halves of two")
    unknown = [name for name in rules if rule_of(name).play != "pools"]
    if unknown:
        raise UserError(f"credit rule {unknown[0]!r} is one of self-play; known here: {', '.join(POOL_RULES)}")
    model, tokenizer = load(source)
    policy = LanguageModelPolicy(AGENT, model, tokenizer, recipe.sampling)
    true, _ = _gradients(policy, recipe, sepo.own_pool, batches, Seed(seed).at(Use.STEP, 0))
    found = []
    for number, rule in enumerate(rules, start=1):
        own, episodes = _gradients(policy, recipe, rule_of(rule).credits, batches, Seed(seed).at(Use.STEP, number))
        rng = Seed(seed).at(Use.RESAMPLING, number).generator()
        found.append(replace(_compared(rule, own @ own.T, own @ true.T, true @ true.T, rng), episodes=episodes))
    return found


def _gradients(
    policy: LanguageModelPolicy, recipe: Recipe, rule: sepo.CreditRule, count: int, seed: Seed
) -> tuple[np.ndarray, int]:
    """One gradient estimate per batch, [count, P], and the episodes played for all of them."""
    task = recipe.tasks[0]
    play = SepoPlay(task.game, task.profile, task.play, task.weights, rule)
    gradients, episodes = [], 0
    for step in range(count):
        experience = play.collect(policy, seed.at(step), step)
        gradients.append(policy_gradient(policy, experience))
        episodes += experience.episodes
    return np.stack(gradients), episodes


def policy_gradient(policy: LanguageModelPolicy, experience: Experience) -> np.ndarray:
    """(1/episodes) * sum over rows and tokens of weight * grad log-probability, over all trained parameters, [P].

    Args:
        policy: Whose parameters; it must be the policy that played.
        experience: Its credited rows.
    """
    model, examples = trained_model(policy), examples_of(experience)
    model.zero_grad(set_to_none=True)
    with torch.enable_grad():
        for part in passes(model, examples, PASS_TOKENS):
            part.loss(model, policy.sampling.temperature).neg().backward()
    flat = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
    model.zero_grad(set_to_none=True)
    gradient: np.ndarray = torch.cat(flat).numpy()
    return gradient


def _compared(
    rule: str, own: np.ndarray, cross: np.ndarray, true: np.ndarray, rng: np.random.Generator
) -> RuleGradient:
    """The estimates from the Gram matrices [n, n] of own with own, own with true, and true with true gradients.

    Products of different batches alone are averaged: their expectation holds no noise.
    """
    n = len(own)
    value = _statistics(own, cross, true, np.arange(n), np.arange(n))
    draws = np.array(
        [_statistics(own, cross, true, rng.integers(n, size=n), rng.integers(n, size=n)) for _ in range(RESAMPLES)]
    )
    low, high = np.nanquantile(draws, [0.025, 0.975], axis=0)
    cosine, ratio = (
        Estimate(float(value[i]), float(low[i]), float(high[i]), n, 0.95, "bootstrap over batches") for i in (0, 1)
    )
    return RuleGradient(rule, cosine, ratio)


def _statistics(
    own: np.ndarray, cross: np.ndarray, true: np.ndarray, rows: np.ndarray, columns: np.ndarray
) -> tuple[float, float]:
    across = float(cross[np.ix_(rows, columns)].mean())
    length = _between(true, columns)
    own_length = _between(own, rows)
    if not length > 0:
        return float("nan"), float("nan")
    cosine = across / float(np.sqrt(own_length * length)) if own_length > 0 else float("nan")
    return cosine, across / length


def _between(gram: np.ndarray, drawn: np.ndarray) -> float:
    """Mean product of two different batches among those drawn: the squared length of the expected gradient."""
    different = drawn[:, None] != drawn[None, :]
    if not different.any():  # a resample may draw one batch every time
        return float("nan")
    return float(gram[np.ix_(drawn, drawn)][different].mean())


def to_json(game: str, batches: int, found: Sequence[RuleGradient]) -> dict[str, Any]:
    """The gradients as the study's table holds them."""
    rules = [{"rule": r.rule, "cosine": r.cosine.to_json(), "ratio": r.ratio.to_json()} for r in found]
    return {"game": game, "batches": batches, "episodes": max(r.episodes for r in found), "rules": rules}


def parser() -> argparse.ArgumentParser:
    """The script's options."""
    options = argparse.ArgumentParser(
        prog="python -m research.model_gradients",
        description="What each credit rule's gradient is worth on a language model.",
    )
    options.add_argument("model", help="the checkpoint: tiny, a model or run folder, or a hub id")
    options.add_argument("--game", default="prisoners_dilemma", help="a game of SEPO's (default: prisoners_dilemma)")
    options.add_argument("--batches", type=int, default=24, help="batches behind each gradient (default: 24)")
    options.add_argument("--seed", type=int, default=0, help="keys all play (default: 0)")
    options.add_argument("--out", type=Path, default=Path("runs/model-gradients"), help="folder for gradients.json")
    options.add_argument("--json", action="store_true", help="print JSON instead of text")
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Estimates the gradients, writes gradients.json and prints a line per rule."""
    options = parser().parse_args(arguments)
    recipe = load_recipe(find_recipe(f"sepo/{options.game}"))
    found = model_gradients(options.model, recipe, COMPARED, options.batches, options.seed)
    text = json.dumps(to_json(recipe.game, options.batches, found), indent=1)
    path = options.out / "gradients.json"
    write_atomically(path, text + "\n")
    if options.json:
        print(text)
        return
    for rule in found:
        figures = (f"{each.value:+.2f} [{each.low:+.2f}, {each.high:+.2f}]" for each in (rule.cosine, rule.ratio))
        print("{:<20} cosine {}, length {}".format(rule.rule, *figures))
    print(path)


if __name__ == "__main__":
    sys.exit(exit_code(main))
