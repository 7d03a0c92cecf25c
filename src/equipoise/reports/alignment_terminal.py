"""The alignment study's targets, findings and medians for a terminal of 80 columns."""

import textwrap
from collections.abc import Mapping
from typing import Any

from equipoise.reports.alignment_arms import digits_of
from equipoise.reports.alignment_claims import claims, progress, target_claims
from equipoise.reports.alignment_schema import validate_alignment_study
from equipoise.reports.alignment_tables import rows_of, target_table
from equipoise.reports.formats import number, visible
from equipoise.reports.schema import clean_report
from equipoise.reports.study_arms import Game, game_title, measured

WIDTH = 80
_LABEL, _CELL = 26, 9
_HEADS = {
    "self_play": ("self-", "play"),
    "cooperation": ("cooper-", "ation"),
    "efficiency": ("effi-", "ciency"),
    "against_greedy": ("against", "greedy"),
    "greedy_takes": ("greedy", "takes"),
    "against_naive": ("against", "naive"),
    "probe_gain": ("probe", "gains"),
}
_SHOWN = 6
_TARGET, _MEDIAN, _SEEDS, _VERDICT = 48, 9, 8, 15


def _short(text: str, width: int) -> str:
    return textwrap.shorten(visible(text), width, placeholder="…")


def _targets(table: Mapping[str, Any]) -> list[str]:
    """Every target with its median, the seeds that meet it and the verdict, by game."""
    lines, last = [], ""
    for game, (target, verdict, median, seeds) in target_table(table).rows:
        if game != last:
            heads = f"{'median':>{_MEDIAN}}{'seeds':>{_SEEDS}}{'verdict':>{_VERDICT}}" if not last else ""
            lines += ["", f"{_short(game, _TARGET):<{_TARGET}}{heads}".rstrip()]
            last = game
        wrapped = textwrap.wrap(visible(target.value), _TARGET - 3) or [""]
        lines += [f"  {part}" for part in wrapped[:-1]]
        cells = f"{median.value:>{_MEDIAN}}{seeds.value:>{_SEEDS}}{verdict.value:>{_VERDICT}}"
        lines.append(f"{'  ' + wrapped[-1]:<{_TARGET}}{cells}")
    return lines


def _block(game: Game) -> list[str]:
    """The medians of one game's main columns, a row per arm and script."""
    rows = rows_of(game)
    keys = [key for key in _HEADS if any(measured(row, key) for row in rows)]
    if not keys:
        return []
    if len(keys) > _SHOWN:
        keys.remove("efficiency")  # the one of the seven that the others nearly tell
    heads = [[_HEADS[key][line].rjust(_CELL) for key in keys] for line in (0, 1)]
    title = _short(game_title(game), _LABEL - 1)
    lines = ["", (" " * _LABEL + "".join(heads[0])).rstrip(), title.ljust(_LABEL) + "".join(heads[1])]
    for row in rows:
        values = [number(measured(row, key).get("value"), digits_of(game, key)).rjust(_CELL) for key in keys]
        lines.append(_short(row["label"], _LABEL - 1).ljust(_LABEL) + "".join(values))
    return lines


def alignment_study_text(table: Mapping[str, Any]) -> str:
    """The study's targets and findings, then one block a game with the medians of every arm; ranges are on the page.

    Raises:
        ValueError: when the table lacks a required key or holds a value of the wrong kind.
    """
    plain = clean_report(table)
    validate_alignment_study(plain)
    lines = textwrap.wrap(visible(plain["title"]), WIDTH)
    for sentence in (*target_claims(plain)[:1], *progress(plain)):
        lines += ["", *textwrap.wrap(visible(sentence), WIDTH)]
    lines += _targets(plain)
    found = claims(plain)
    lines += ["", "What the paired differences decide:"] if found else []
    for sentence in found:
        lines += textwrap.wrap(visible(sentence), WIDTH, initial_indent="- ", subsequent_indent="  ")
    for game in plain["games"]:
        lines += _block(game)
    return "\n".join(lines) + "\n"
