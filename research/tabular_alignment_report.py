"""The study of alignment on a memory-one policy as text for a terminal of 80 columns, as a figure and as files."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from equipoise.files import write_atomically

_SHORT = {"advantage_alignment": "alignment", "advantage_alignment_inclusive": "inclusive"}
_WIDTH = 80
_COLOURS = {"naive": 0, "sum_of_rewards": 1, "advantage_alignment": 2, "advantage_alignment_inclusive": 3}
_ELSEWHERE = "advantage_alignment, beta 1"
"""The arm that the figure shows in every condition but the first."""


def rule_label(row: Mapping[str, Any]) -> str:
    """The rule of a row in a few words: `naive`, `sum of rewards`, `alignment 0.5` (its beta)."""
    rule = str(row["rule"])
    return f"{_SHORT[rule]} {row['settings']['beta']:g}" if rule in _SHORT else rule.replace("_", " ")


def alignment_text(table: Mapping[str, Any]) -> str:
    """The study as Markdown that also reads well in a terminal of 80 columns."""
    lines = [*_head(table), "", *_reached(table, "reciprocal", "reach the aim")]
    lines += ["", *_reached(table, "conditional", "are conditional")]
    for condition in table["conditions"]:
        lines += ["", f"## {condition['name']}", "", *_flow(condition["what"]), "", *_learned(condition["rows"])]
    return "\n".join([*lines, "", *_noise(table["variance"])]) + "\n"


def write_alignment(table: Mapping[str, Any], out: Path) -> list[Path]:
    """Paths of the files written into the folder `out`: table.json, table.md and probabilities.svg.

    The figure needs matplotlib, the study itself numpy alone.
    """
    paths = [out / name for name in ("table.json", "table.md", "probabilities.svg")]
    write_atomically(paths[0], json.dumps(table, indent=1, allow_nan=False) + "\n")
    write_atomically(paths[1], alignment_text(table))
    write_figure(table, paths[2])
    return paths


def _head(table: Mapping[str, Any]) -> list[str]:
    """What was run, and what the columns mean."""
    n, target = len(table["seeds"]), table["target"]
    settings = table["conditions"][0]["rows"][0]["settings"]
    wanted, near = ", ".join(f"{100 * p:.0f}" for p in target["probabilities"]), 100 * target["tolerance"]
    size = f"{settings['steps']} updates of {settings['games']} games of {settings['rounds']} rounds"
    return [
        "# Alignment rules on a memory-one policy",
        "",
        *_flow(
            f"Repeated dilemma (3/1/5/0), {size}, Adam {settings['learning_rate']:g}. "
            f"Seeds 0 to {n - 1}: n = {n} runs of every rule in every condition; {table['seconds']:.0f} s."
        ),
        "",
        *_flow(
            "1st, CC, CD, DC, DD: probability of cooperation in % in the first round and after each joint action, "
            "own action first; median over seeds. coop: share of cooperation in play with itself in %, median [lowest, "
            "highest]. vs D: median pay per round against always defect (tit for tat: 0.90; never cooperate: 1.00). "
            "Probabilities and pay are exact for the policy learned."
        ),
        "",
        *_flow(
            f"Conditional: at least {100 - near:.0f} in the first round and after CC, at most {near:.0f} after CD and "
            f"DD. Aim: within {near:.0f} of {wanted} in all five; our own aim, not a published figure. Tit for tat "
            "(100, 100, 0, 100, 0) is conditional and misses the aim."
        ),
        "",
        f"`{table['command']}`",
    ]


def _reached(table: Mapping[str, Any], share: str, what: str) -> list[str]:
    """How many seeds end as `what`, by condition and rule; `share` is the row's key."""
    n, first = len(table["seeds"]), table["conditions"][0]["rows"]
    key = "n = naive, s = sum of rewards, a = alignment and i = inclusive with their beta"
    lines = [*_flow(f"Seeds of {n} that {what}; {key}:"), ""]
    lines += ["| condition           |" + "".join(f" {_initials(row):>3} |" for row in first)]
    lines += ["|---------------------|" + "----:|" * len(first)]
    for condition in table["conditions"]:
        counts = "".join(f" {round(row[share] * row['n']):>3} |" for row in condition["rows"])
        lines.append(f"| {condition['name']:<19} |{counts}")
    return lines


def _initials(row: Mapping[str, Any]) -> str:
    """The rule of a row in at most three letters: `n`, `s`, `a1`, `a.5`."""
    words = rule_label(row).split()
    return words[0][0] + words[-1].removeprefix("0" if "." in words[-1] else "") * (row["rule"] in _SHORT)


def _learned(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What every rule learned in one condition."""
    lines = ["| rule           | 1st |  CC |  CD |  DC |  DD |           coop | vs D |"]
    lines.append("|----------------|----:|----:|----:|----:|----:|---------------:|-----:|")
    for row in rows:
        states = "".join(f" {100 * p['median']:>3.0f} |" for p in row["probabilities"])
        median, low, high = (f"{100 * row['cooperation'][key]:.0f}" for key in ("median", "low", "high"))
        cooperation = f"{median} [{low}, {high}]"
        pay = row["against_defector"]["median"]
        lines.append(f"| {rule_label(row):<14} |{states} {cooperation:>14} | {pay:>4.2f} |")
    return lines


def _noise(variance: Mapping[str, Any]) -> list[str]:
    """The variance table, one part per scene."""
    lines = ["## Baselines: groups of eight that mix opponents, against groups that share one", ""]
    lines += _flow(
        f"One estimate of the first seat's gradient, {variance['draws']} batches of each kind at three steps of one "
        "run (alignment 1 with past selves), against itself and three past selves. drawn: opponents independently, or "
        "evenly. variance: total variance, mixed over shared. cosine, length: of the mean estimate, mixed against "
        "shared; 1 and 1 where both teach the same. 95 % bootstrap intervals over batches; those of the length are in "
        "table.json."
    )
    for scene, (step, past) in variance["scenes"].items():
        lines += ["", f"### {scene}: step {step}, past selves of steps {', '.join(map(str, past))}", ""]
        lines.append("| rule           | drawn  |             variance |            cosine | length |")
        lines.append("|----------------|--------|---------------------:|------------------:|-------:|")
        lines += [_noise_row(row) for row in variance["rows"] if row["scene"] == scene]
    return lines


def _noise_row(row: Mapping[str, Any]) -> str:
    ratio, cosine = (
        f"{each['value']:.2f} [{each['low']:.2f}, {each['high']:.2f}]" for each in (row["ratio"], row["cosine"])
    )
    rule = row["arm"].removeprefix("advantage_").replace(", beta", "").replace("_", " ")
    drawn = "evenly" if row["balanced"] else "freely"
    return f"| {rule:<14} | {drawn} | {ratio:>20} | {cosine:>17} | {row['length']['value']:>6.2f} |"


def _flow(text: str) -> list[str]:
    """The text in lines of at most 80 characters."""
    return textwrap.wrap(text, _WIDTH)


def write_figure(table: Mapping[str, Any], path: Path) -> None:
    """Draws the probability of cooperation by state: every rule in the first condition, alignment 1 in the others.

    A mark is the median over seeds, a bar the range over seeds, a dashed line the aim.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    first, *others = table["conditions"]
    rows = [(row["arm"].replace("_", " "), row) for row in first["rows"]]
    rows += [(f"{part['name']}: beta 1", row) for part in others for row in part["rows"] if row["arm"] == _ELSEWHERE]
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "tabular-alignment", "font.size": 8}):
        figure = Figure(figsize=(10, 0.24 * len(rows) + 1.2), layout="constrained")
        axes = figure.subplots(1, len(table["states"]), sharey=True)
        for state, (axis, name) in enumerate(zip(axes, table["states"], strict=True)):
            for line, (_, row) in enumerate(rows):
                median, low, high = (row["probabilities"][state][key] for key in ("median", "low", "high"))
                colour = f"C{_COLOURS[row['rule']]}"
                axis.errorbar(median, line, xerr=[[median - low], [high - median]], fmt="o", color=colour, markersize=4)
            axis.axvline(table["target"]["probabilities"][state], color="black", linewidth=0.8, linestyle="--")
            axis.set(title=name, xlim=(-0.05, 1.05))
        axes[0].set_yticks(range(len(rows)), [label for label, _ in rows])
        axes[0].invert_yaxis()
        seeds = len(table["seeds"])
        figure.supxlabel(f"probability of cooperation: median and range over {seeds} seeds (dashed: the aim)")
        figure.savefig(path, metadata={"Date": None})
