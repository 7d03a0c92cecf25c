"""What a study may say in words: every sentence is decided by the table's intervals, and a tie is called a tie.

A difference counts as above or below zero only where its paired interval excludes zero; where it contains zero the
arms tie, which is no proof that they are equal. A difference of one seed has no interval and decides nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from equipoise.reports.formats import bounds, listing, number
from equipoise.reports.study_arms import (
    ARMS,
    Game,
    arm_labels,
    arms,
    danger_metric,
    games_named,
    measured,
    missing,
)

Verdict = Literal["above", "below", "tie", "undecided"]

_UNSEEN = 0.0005
_VISIBLE = 0.005
_NAMED = 4


def verdict(estimate: Mapping[str, Any]) -> Verdict:
    """Whether a difference is above zero, below it, a tie (its interval contains zero), or without an interval."""
    low, high = estimate.get("low"), estimate.get("high")
    if estimate.get("value") is None or low is None or high is None:
        return "undecided"
    return "above" if low > 0 else "below" if high < 0 else "tie"


def difference(game: Game, arm: str, minus: str, metric: str = "sepo_index") -> Mapping[str, Any] | None:
    """The game's paired difference between two arms on a metric; None where it was not computed."""
    for entry in game.get("differences", ()):
        if (entry["arm"], entry["minus"], entry["metric"]) == (arm, minus, metric):
            found: Mapping[str, Any] = entry["estimate"]
            return found if found.get("value") is not None else None
    return None


def compared(games: Sequence[Game], find: Callable[[Game], Mapping[str, Any] | None]) -> dict[Verdict, list[Game]]:
    """The games by the verdict on the difference that `find` gives for each; games without one are left out."""
    found: dict[Verdict, list[Game]] = {"above": [], "below": [], "tie": [], "undecided": []}
    for game in games:
        estimate = find(game)
        if estimate is not None:
            found[verdict(estimate)].append(game)
    return found


def _label(table: Mapping[str, Any], arm: str) -> str:
    return arm_labels(table).get(arm, ARMS.get(arm, arm))


def _games(games: Sequence[Game]) -> str:
    return f" ({games_named(games)})" if games else ""


def _count(found: Mapping[Verdict, Sequence[Game]]) -> int:
    return sum(len(games) for games in found.values())


def _decided(found: Mapping[Verdict, Sequence[Game]]) -> int:
    return _count(found) - len(found["undecided"])


def _of(wins: int, games: int) -> str:
    return f"{wins or 'none'} of {games} game{'' if games == 1 else 's'}"


def _above_sentence(table: Mapping[str, Any], arm: str, minus: str) -> str:
    """In how many games one arm's index is above another's, where it ties, where it is below."""
    found = compared(table["games"], lambda game: difference(game, arm, minus))
    if not _count(found):
        return ""
    decided, wins = _decided(found), found["above"]
    if not decided:
        both = f"{_label(table, arm)} and {_label(table, minus)}"
        return f"{both} have no paired interval of the SEPO index yet in {games_named(found['undecided'])}."
    parts = [
        f"{_label(table, arm)} is above {_label(table, minus)} on the SEPO index in {_of(len(wins), decided)}"
        + (f"{_games(wins)}, interval of the paired difference above zero" if wins else "")
    ]
    if found["tie"]:
        parts.append(f"a tie in {games_named(found['tie'])}")
    if found["below"]:
        parts.append(f"below in {games_named(found['below'])}")
    if found["undecided"]:
        parts.append(f"no interval yet in {games_named(found['undecided'])}")
    return f"{'; '.join(parts)}."


def _payoff_sentence(table: Mapping[str, Any]) -> str:
    """Where correct credit for payoff alone does as well as the penalties, and where they matter, by how much."""
    found = compared(table["games"], lambda game: difference(game, "own_pool", "payoff"))
    payoff, sepo = _label(table, "payoff"), _label(table, "own_pool")
    parts = []
    if found["tie"]:
        parts.append(
            f"{payoff} does as well as {sepo} in {games_named(found['tie'])}, as far as these seeds tell: a tie, the "
            "paired interval of the index contains zero"
        )
    if found["above"]:
        parts.append(f"the penalties help in {_amounts(found['above'], 'own_pool', 'payoff')}")
    if found["below"]:
        parts.append(f"{payoff} is ahead in {_amounts(found['below'], 'own_pool', 'payoff')}")
    if found["undecided"]:
        parts.append(f"{payoff} and {sepo} have no paired interval yet in {games_named(found['undecided'])}")
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _amounts(games: Sequence[Game], arm: str, minus: str, metric: str = "sepo_index") -> str:
    texts = []
    for game in games:
        estimate = difference(game, arm, minus, metric) or {}
        texts.append(f"{games_named([game])} ({signed(estimate)})")
    return listing(texts)


def signed(estimate: Mapping[str, Any], digits: int = 2) -> str:
    """A difference with its sign and its interval, as in `+0.31 [0.10, 0.52]`."""
    value = number(estimate.get("value"), digits)
    plus = "+" if (estimate.get("value") or 0) > 0 and value[:1].isdigit() else ""
    return f"{plus}{value} {bounds(estimate, digits)}".rstrip()


def _sft_sentence(table: Mapping[str, Any]) -> str:
    """What imitation did to the exploitability that scripts see, and to the worst case."""
    parts = []
    for key, name in (("pool_exploitability", "pool exploitability"), ("worst_case", "the worst case")):
        found = compared(table["games"], _sft_effect(key))
        if not _count(found):
            continue
        moves = []
        for games, word in ((found["above"], "raised"), (found["below"], "lowered")):
            if games:
                amounts = listing(f"{games_named([g])} ({signed(g['sft_effect'][key])})" for g in games)
                moves.append(f"{word} {name} in {amounts}")
        if found["tie"]:
            moves.append(f"made no difference to {name} beyond its interval in {games_named(found['tie'])}")
        if found["undecided"]:
            moves.append(f"has no interval for {name} yet in {games_named(found['undecided'])}")
        parts.append("; ".join(moves))
    return f"Against the base model, {_label(table, 'sft')} {'; it '.join(parts)}." if parts else ""


def _sft_effect(key: str) -> Callable[[Game], Mapping[str, Any] | None]:
    def find(game: Game) -> Mapping[str, Any] | None:
        estimate: Mapping[str, Any] | None = game.get("sft_effect", {}).get(key)
        return None if estimate is None or estimate.get("value") is None else estimate

    return find


def _safer_sentence(table: Mapping[str, Any]) -> str:
    """In which games the penalties took exploitability below the supervised model's."""

    def find(game: Game) -> Mapping[str, Any] | None:
        return difference(game, "own_pool", "sft", danger_metric(game) or "pool_exploitability")

    found = compared(table["games"], find)
    if not _decided(found):
        return ""
    text = (
        f"{_label(table, 'own_pool')} is less exploitable than {_label(table, 'sft')} in "
        f"{_of(len(found['below']), _decided(found))}{_games(found['below'])}"
    )
    if found["tie"]:
        text += f"; a tie in {games_named(found['tie'])}"
    if found["above"]:
        text += f"; more exploitable in {games_named(found['above'])}"
    if found["undecided"]:
        text += f"; no interval yet in {games_named(found['undecided'])}"
    return f"{text}."


def _blind_sentences(table: Mapping[str, Any]) -> list[str]:
    """Games in which pool exploitability reads 0.000 for models that an exact opponent still gets the better of."""
    sentences = []
    for game in table["games"]:
        metric = next((m for m in ("nash_conv", "worst_case_advantage") if _any(game, m)), None)
        if metric is None:
            continue
        blind = [
            row
            for row in arms(game)
            if measured(row, "pool_exploitability")
            and measured(row, "pool_exploitability")["value"] < _UNSEEN
            and measured(row, metric).get("value", 0.0) >= _VISIBLE
        ]
        if blind:
            named = listing(f"{row['label']} ({number(measured(row, metric)['value'], 3)})" for row in blind[:_NAMED])
            more = f" and {len(blind) - _NAMED} more" if len(blind) > _NAMED else ""
            name = "exact NashConv" if metric == "nash_conv" else "exact worst-case advantage"
            reads = f"In {games_named([game])} pool exploitability reads 0.000 for {named}{more}"
            sentences.append(f"{reads}, in brackets their {name}.")
    return sentences


def _any(game: Game, metric: str) -> bool:
    return any(measured(row, metric) for row in arms(game))


def _dilemma_sentence(table: Mapping[str, Any]) -> str:
    """What each rule does to a player that always cooperates in the dilemma, where that is the collusion hazard."""
    game = next((g for g in table["games"] if g["game"] == "prisoners_dilemma"), None)
    rows = {row["arm"]: row for row in arms(game)} if game is not None else {}
    order = ("independent_penalty", "shared_penalty", "payoff", "own_pool")
    found = [(rows[arm], measured(rows[arm], "collusion")) for arm in order if arm in rows]
    texts = [f"{row['label']} {number(e['value'], 2)} {bounds(e, 2)}".rstrip() for row, e in found if e]
    return f"Defection against a player that always cooperates in the dilemma: {'; '.join(texts)}." if texts else ""


def claims(table: Mapping[str, Any]) -> list[str]:
    """The study's findings as sentences, most important first; what was not compared is not mentioned."""
    pairs = (
        ("own_pool", "base"),
        ("own_pool", "sft"),
    )
    ablations = (
        ("own_pool_best_response", "own_pool"),
        ("own_pool", "welfare"),
        ("own_pool", "shared_penalty"),
        ("own_pool", "independent_penalty"),
        ("payoff", "sft"),
    )
    sentences = [
        *(_above_sentence(table, *pair) for pair in pairs),
        _payoff_sentence(table),
        _sft_sentence(table),
        _safer_sentence(table),
        *(_above_sentence(table, *pair) for pair in ablations),
        _dilemma_sentence(table),
        *_blind_sentences(table),
    ]
    return [sentence for sentence in sentences if sentence]


def progress(table: Mapping[str, Any], known: Mapping[str, str] = ARMS) -> list[str]:
    """What of the study's `known` arms (arm to label) is missing, as sentences; empty for a complete one."""
    cells = table.get("cells")
    lines = []
    if cells is not None and cells["done"] < cells["all"]:
        lines.append(f"This study is not finished: {cells['done']} of {cells['all']} cells are done.")
    return lines + [f"Not run yet: {text}." for text in missing(table, known)]
