"""The study of alignment on a memory-one policy as text for a terminal of 80 columns, as a figure and as files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from equipoise.files import write_atomically
from equipoise.lab.tabular_alignment_figure import probabilities_svg
from equipoise.reports.layout import wrapped
from equipoise.reports.svg import write_figure

_SHORT = {"advantage_alignment": "alignment", "advantage_alignment_inclusive": "inclusive"}
_WIDTH = 80


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
    write_figure(probabilities_svg(table), paths[2])
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
    return wrapped(text, _WIDTH, lines=99)
