"""Does a credit rule estimate the gradient it claims to? Measured against the exact gradient of two small games.

    python -m research.gradient_audit --draws 2000 --out runs/gradient-audit

Two thousand batches per game take 20 seconds on one core. Numbers go to gradient-audit.json, the table to
gradient-audit.md, the figure to gradient-audit.svg.

A policy small enough to differentiate exactly plays thousands of batches; every credit rule of `equipoise.objectives`
turns each batch into an estimate of the gradient of each term of the SEPO objective and of the whole objective J.
Reported per rule and term, over the draws:

- *ratio*: mean of (estimate . g) / |g|^2, where g is the exact gradient. 1 is unbiased along g; 0 means the rule does
  not move the policy along the term at all; negative means it moves it the wrong way.
- *cosine*: angle between the mean estimate and g: what is left to disagree about when noise has averaged out.
- *right way*: share of draws whose estimate has a positive product with g.
- *noise*: root of the total variance of an estimate, in units of |g|.

A term's part of a rule is what its weight changes: credits with that weight alone minus credits with all weights 0.

The e of `own_pool` is unbiased where every gate is certain (the dilemma). In Kuhn poker two scripts gain so little per
hand that a batch sometimes sees them lose; their gates then shut, and the ratio falls below 1. With all gates held open
it is 1.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import UserError
from equipoise.objectives import (
    CreditRule,
    CreditWeights,
    independent_penalty,
    own_pool,
    own_pool_immediate,
    payoff,
    sepo_index,
    shared_penalty,
)
from equipoise.seeds import Seed
from research.command import exit_code
from research.tabular import TERMS, Draw, TabularProblem, term_factors
from research.tabular_dilemma import Dilemma
from research.tabular_kuhn import Kuhn

RULES: dict[str, CreditRule] = {
    "own pool": own_pool,
    "own pool, immediate": own_pool_immediate,
    "shared penalty": shared_penalty,
    "independent penalty": independent_penalty,
    "payoff alone": payoff,
}
"""The credit rules compared, by the name they have in tables."""

_WEIGHT_OF = {"e": "exploitability", "c": "collusion", "x": "externality"}
_NEGLIGIBLE = 1e-9  # estimates smaller than this, relative to |g|, are rounding of an exact zero
_Z = 1.959963984540054  # 97.5 % quantile of the normal distribution


@dataclass(frozen=True)
class AuditRow:
    """How one rule estimates one term's gradient.

    Attributes:
        rule: The credit rule.
        term: u, e, c, x, or J for the whole objective.
        ratio: Mean of (estimate . g) / |g|^2.
        ratio_low: Lower end of its 95 % interval (normal, over draws).
        ratio_high: Upper end.
        cosine: Cosine between the mean estimate and g; None if the rule gives the term exactly nothing.
        right_way: Share of draws pointing the right way; None likewise.
        right_way_low: Lower end of its 95 % Wilson interval; None likewise.
        right_way_high: Upper end; None likewise.
        variance: Total variance of one estimate, summed over parameters.
        noise: Its root divided by |g|.
        n: Number of draws.
    """

    rule: str
    term: str
    ratio: float
    ratio_low: float
    ratio_high: float
    cosine: float | None
    right_way: float | None
    right_way_low: float | None
    right_way_high: float | None
    variance: float
    noise: float
    n: int


@dataclass(frozen=True)
class ProblemAudit:
    """The audit of one game.

    Attributes:
        game: The game.
        episodes: Episodes per draw, B.
        weights: Weights of J.
        values: Exact u, e, c, x (those the game has) and index of the policy, per round.
        norms: Length of each exact gradient (of an episode's total).
        rows: One row per term and rule.
    """

    game: str
    episodes: int
    weights: CreditWeights
    values: dict[str, float]
    norms: dict[str, float]
    rows: tuple[AuditRow, ...]

    def row(self, rule: str, term: str) -> AuditRow:
        """The row of `rule` and `term`.

        Raises:
            KeyError: If there is none.
        """
        for row in self.rows:
            if (row.rule, row.term) == (rule, term):
                return row
        known = sorted({f"{row.rule} / {row.term}" for row in self.rows})
        raise KeyError(f"no row {rule} / {term}; known: {', '.join(known)}")


@dataclass(frozen=True)
class AuditResult:
    """The audit of every game.

    Attributes:
        draws: Batches per game.
        seed: Seed of the draws.
        problems: One audit per game.
    """

    draws: int
    seed: int
    problems: tuple[ProblemAudit, ...]

    def to_dict(self) -> dict[str, object]:
        """The result as plain JSON types."""
        return asdict(self)


def gradient_audit(draws: int = 2000, seed: int = 0, problems: Sequence[TabularProblem] | None = None) -> AuditResult:
    """How well each credit rule estimates each term's gradient, against the exact gradient.

    Args:
        draws: Batches per game, at least 2.
        seed: Draw i of game k comes from `Seed(seed).at(k, i)`.
        problems: The games; None means the dilemma and Kuhn poker at their documented policies.

    Raises:
        UserError: If `draws` is below 2 or the seed is negative.
    """
    if draws < 2:
        raise UserError(f"draws is {draws}; at least 2 are needed for an interval")
    if seed < 0:
        raise UserError(f"seed is {seed}; seeds are 0 or more")
    audited = (Dilemma(), Kuhn()) if problems is None else problems
    results = (_audit(problem, draws, Seed(seed).at(number)) for number, problem in enumerate(audited))
    return AuditResult(draws=draws, seed=seed, problems=tuple(results))


def _audit(problem: TabularProblem, draws: int, seed: Seed) -> ProblemAudit:
    values, gradients = problem.exact()
    exact = {**gradients, "J": problem.objective_gradient()}
    estimates = {(term, rule): np.zeros((draws, len(problem.states))) for term in exact for rule in RULES}
    episodes = 0
    for number in range(draws):
        draw = problem.draw(seed.at(number).generator())
        episodes = draw.batch.own.shape[0]
        for rule, credit in RULES.items():
            for term, estimate in _term_estimates(draw, credit, problem.weights, tuple(exact)).items():
                estimates[term, rule][number] = estimate
    per_round = {term: value / problem.rounds for term, value in values.items()}
    full = {term: per_round.get(term, 0.0) for term in TERMS}
    return ProblemAudit(
        game=problem.name,
        episodes=episodes,
        weights=problem.weights,
        values={**per_round, "index": sepo_index(**full, weights=problem.weights)},
        norms={term: float(np.linalg.norm(gradient)) for term, gradient in exact.items()},
        rows=tuple(_row(rule, term, estimate, exact[term]) for (term, rule), estimate in estimates.items()),
    )


def _term_estimates(
    draw: Draw, credit: CreditRule, weights: CreditWeights, terms: tuple[str, ...]
) -> dict[str, NDArray[np.float64]]:
    """One estimate of each term's gradient, and of J's, from one batch, [P] each."""
    nothing = replace(weights, exploitability=0.0, collusion=0.0, externality=0.0)
    base = credit(draw.batch, nothing)
    factor = term_factors(weights)
    estimates = {"u": draw.estimate(base) / factor["u"], "J": draw.estimate(credit(draw.batch, weights))}
    for term in terms:
        if term in _WEIGHT_OF:
            name = _WEIGHT_OF[term]
            alone = replace(nothing, **{name: getattr(weights, name)})
            estimates[term] = draw.estimate(credit(draw.batch, alone) - base) / factor[term]
    return estimates


def _row(rule: str, term: str, estimates: NDArray[np.float64], exact: NDArray[np.float64]) -> AuditRow:
    draws, norm = estimates.shape[0], float(np.linalg.norm(exact))
    ratios = estimates @ exact / norm**2
    margin = _Z * float(ratios.std(ddof=1)) / math.sqrt(draws)
    mean = estimates.mean(axis=0)
    length = float(np.linalg.norm(mean))
    silent = float(np.abs(estimates).max()) <= _NEGLIGIBLE * norm
    right = None if silent else float((ratios > 0.0).mean())
    low, high = (None, None) if right is None else _wilson(right, draws)
    variance = float(estimates.var(axis=0, ddof=1).sum())
    return AuditRow(
        rule=rule,
        term=term,
        ratio=float(ratios.mean()),
        ratio_low=float(ratios.mean()) - margin,
        ratio_high=float(ratios.mean()) + margin,
        cosine=None if silent else float(mean @ exact) / (length * norm),
        right_way=right,
        right_way_low=low,
        right_way_high=high,
        variance=variance,
        noise=math.sqrt(variance) / norm,
        n=draws,
    )


def _wilson(share: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a proportion. Reference: Wilson (1927)."""
    centre = share + _Z**2 / (2 * n)
    spread = _Z * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    scale = 1 + _Z**2 / n
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def audit_table(result: AuditResult) -> str:
    """The result as Markdown that also reads well in a terminal of 80 columns."""
    lines = ["# Gradient audit", ""]
    lines += [
        f"{result.draws} batches per game, seed {result.seed}. Against the exact gradient g of each term:",
        "ratio = mean of (estimate . g) / |g|^2, with its 95 % interval (1 = unbiased,",
        "0 = no effect, below 0 = the wrong way); cosine = of the mean estimate with g;",
        "right way = share of batches with estimate . g > 0, with its 95 % interval;",
        "sd = root of the total variance of one batch's estimate, in units of |g|.",
        "J is the whole objective; '-' = the rule gives this term exactly nothing.",
        "Own pool gates e by each exploiter's mean gap in the batch: where that gap is",
        "near 0 the gate is sometimes wrong, and the ratio of e leaves 1.",
    ]
    for problem in result.problems:
        values = ", ".join(f"{name} {value:.3f}" for name, value in problem.values.items())
        lines += ["", f"## {problem.game}", ""]
        lines += [f"{problem.episodes} episodes per batch.", f"Policy, per round: {values}.", ""]
        lines.append("|   | rule                |         ratio | cosine |      right way [%] |   sd |")
        lines.append("|---|---------------------|--------------:|-------:|-------------------:|-----:|")
        lines += [_table_row(row) for row in problem.rows]
    return "\n".join(lines) + "\n"


def _table_row(row: AuditRow) -> str:
    ratio = f"{_signed(row.ratio)} ±{row.ratio_high - row.ratio:.3f}"
    cosine = "-" if row.cosine is None else _signed(row.cosine)
    right = "-"
    if row.right_way is not None and row.right_way_low is not None and row.right_way_high is not None:
        share, low, high = (f"{100.0 * value:.1f}" for value in (row.right_way, row.right_way_low, row.right_way_high))
        right = f"{share} [{low},{high}]"
    return f"| {row.term} | {row.rule:<19} | {ratio:>13} | {cosine:>6} | {right:>18} | {row.noise:>4.2f} |"


def _signed(value: float) -> str:
    """Three decimals, and no sign for what rounds to zero."""
    return f"{value:+.3f}" if abs(value) >= 0.0005 else "0.000"


def write_audit(result: AuditResult, out_dir: str | Path) -> tuple[Path, ...]:
    """Paths of the files written: gradient-audit.json, .md and .svg in `out_dir`, which is made if missing.

    The figure needs matplotlib, the study itself numpy alone.
    """
    folder = Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    paths = tuple(folder / f"gradient-audit.{suffix}" for suffix in ("json", "md", "svg"))
    paths[0].write_text(json.dumps(result.to_dict(), indent=2, allow_nan=False) + "\n", encoding="utf-8")
    paths[1].write_text(audit_table(result), encoding="utf-8")
    _write_figure(result, paths[2])
    return paths


def _write_figure(result: AuditResult, path: Path) -> None:
    """Bars of every rule's ratio, one panel per game and term."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    columns = max(len(problem.norms) for problem in result.problems)
    with mpl.rc_context({"svg.hashsalt": "gradient-audit", "font.size": 8}):
        figure = Figure(figsize=(2.1 * columns + 1.4, 1.9 * len(result.problems) + 0.4), layout="constrained")
        axes = figure.subplots(len(result.problems), columns, squeeze=False, sharey=True)
        for line, problem in zip(axes, result.problems, strict=True):
            for axis, term in zip(line, problem.norms, strict=False):
                rows = [problem.row(rule, term) for rule in RULES]
                widths = [row.ratio for row in rows]
                margins = [row.ratio_high - row.ratio for row in rows]
                axis.barh(list(RULES), widths, xerr=margins, color=["#2a6f97"] + ["#b0b7bf"] * (len(rows) - 1))
                axis.axvline(1.0, color="black", linewidth=0.8, linestyle="--")
                axis.axvline(0.0, color="black", linewidth=0.8)
                axis.set_title(f"{problem.game}: {term}")
            for axis in line[len(problem.norms) :]:
                axis.set_visible(False)
        axes[0, 0].invert_yaxis()
        figure.supxlabel("mean estimate along the exact gradient (dashed: unbiased); whiskers: 95 %")
        figure.savefig(path, metadata={"Date": None})


def parser() -> argparse.ArgumentParser:
    """The script's options."""
    options = argparse.ArgumentParser(
        prog="python -m research.gradient_audit",
        description="What each credit rule's gradient is worth against the exact one.",
    )
    options.add_argument("--out", type=Path, default=Path("runs/gradient-audit"), help="folder for table and figure")
    options.add_argument("--draws", type=int, default=2000, help="gradient estimates per rule (default: 2000)")
    options.add_argument("--seed", type=int, default=0, help="keys all draws (default: 0)")
    options.add_argument("--json", action="store_true", help="print JSON instead of text")
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Audits the rules, writes the files and prints the table."""
    options = parser().parse_args(arguments)
    result = gradient_audit(draws=options.draws, seed=options.seed)
    paths = write_audit(result, options.out)
    print(paths[0].read_text(encoding="utf-8") if options.json else audit_table(result))
    if not options.json:
        print(*paths, sep="\n")


if __name__ == "__main__":
    sys.exit(exit_code(main))
