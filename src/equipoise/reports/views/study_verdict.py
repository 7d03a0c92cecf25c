"""What a study says in words: targets as counted, hypotheses as their corrected tests decide, the rest as observed.

A hypothesis is said to hold in a game only where its corrected p is below 0.05 and its difference lies on the expected
side; a tie is called a tie, which is no proof that two arms are equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from equipoise.core import Estimate
from equipoise.lab.results import HypothesisRecord, StudyDifference, StudyGame, StudyResult, StudyRow, StudyTarget
from equipoise.reports.formats import capital, counted, known, listing, number
from equipoise.reports.views.grounds import unseen

Side = Literal["above", "below", "tie", "undecided"]

ALPHA = 0.05
_FAULTS_WORTH_SAYING = 0.02
_NAMED = 4
_PROPER = {"kuhn_poker": "Kuhn poker", "prisoners_dilemma": "prisoner's dilemma"}
_MORE: dict[Side, str] = {"above": "more", "below": "less"}


def game_name(game: StudyGame) -> str:
    """The game's name in words, as it stands inside a sentence."""
    return _PROPER.get(game.game.name, game.game.name.replace("_", " "))


def game_title(game: StudyGame) -> str:
    """The game's name in words, as it stands in a heading."""
    return capital(game_name(game))


def labels_of(result: StudyResult) -> dict[str, str]:
    """The label of every arm with a row, in the order the study plans them."""
    found = {row.arm: row.label for game in result.games for row in game.rows if row.kind != "reference"}
    return {
        arm: found[arm]
        for arm in [*(a for a in result.planned if a in found), *(a for a in found if a not in result.planned)]
    }


def side(found: StudyDifference) -> Side:
    """On which side of zero a difference is: by its corrected p for a hypothesis, by its interval else."""
    estimate = found.estimate
    if not known(estimate.value) or not known(estimate.low) or not known(estimate.high):
        return "undecided"
    if found.hypothesis and known(found.adjusted) and found.adjusted >= ALPHA:
        return "tie"
    return "above" if estimate.low > 0 else "below" if estimate.high < 0 else "tie"


def signed(estimate: Estimate, digits: int) -> str:
    """A difference with its sign."""
    text = number(estimate.value, digits)
    return f"+{text}" if estimate.value > 0 and text[:1].isdigit() else text


def verdict(result: StudyResult) -> list[str]:
    """Targets, then every hypothesis; what was not measured is not mentioned."""
    return [
        sentence for sentence in (*_targets(result), *(_hypothesis(result, h) for h in result.hypotheses)) if sentence
    ]


def _hypothesis(result: StudyResult, hypothesis: HypothesisRecord) -> str:
    """In which games a hypothesis is decided, on which side and by how much, and in which it is not."""
    found: dict[Side, list[str]] = {"above": [], "below": [], "tie": [], "undecided": []}
    for game in result.games:
        for difference in game.differences:
            if difference.hypothesis == hypothesis.name:
                where = side(difference)
                digits = next((c.digits for c in game.columns if c.key == difference.metric), 3)
                amount = f" ({signed(difference.estimate, digits)})"
                found[where].append(game_name(game) + (amount if where in _MORE else ""))
    decided = sum(len(found[where]) for where in ("above", "below", "tie"))
    if not decided:
        return ""
    labels = labels_of(result)
    sides = sorted((where for where in _MORE if found[where]), key=lambda where: where != hypothesis.expected)

    def sentence(more: str) -> str:
        arm, minus = (labels.get(name, name) for name in (hypothesis.arm, hypothesis.minus))
        return hypothesis.text.format(arm=arm, minus=minus, more=more)

    parts = [f"{_MORE[where]} in {listing(found[where])}" for where in sides]
    if sides:
        first = found[sides[0]]
        count = f"in {len(first)} of {decided} games: " if decided > 1 else "in "
        parts[0] = f"{sentence(_MORE[sides[0]])} {count}{listing(first)}"
    if found["tie"]:
        opens = "a tie in" if sides else f"too close to call whether {sentence('more or less')}:"
        parts.append(f"{opens} {listing(found['tie'])}")
    if found["undecided"]:
        parts.append(f"no interval yet in {listing(found['undecided'])}")
    return capital(f"{'; '.join(parts)}.")


def _targets(result: StudyResult) -> list[str]:
    """How many targets are met, then those that are missed, each with its median and how many seeds meet it."""
    found = [(game, target) for game in result.games for target in game.targets]
    measured = [(game, target) for game, target in found if target.met is not None]
    if not found:
        return []
    if not measured:
        return [f"None of {len(found)} targets is measured yet."]
    missed = [_missed(result, game, target) for game, target in measured if not target.met]
    so_far = " so far" if any(target.seeds < result.planned.get(target.arm, 1) for _, target in measured) else ""
    waiting = f"; not measured yet: {len(found) - len(measured)}" if len(found) > len(measured) else ""
    met = f"{len(measured) - len(missed)} of {len(measured)}"
    sentences = [f"Targets met{so_far} by the median of the seeds: {met}{waiting}."]
    return [*sentences, f"Missed{so_far}: {'; '.join(missed)}."] if missed else sentences


def _missed(result: StudyResult, game: StudyGame, target: StudyTarget) -> str:
    column = next((c for c in game.columns if c.key == target.metric), None)
    digits, title = (2, target.metric) if column is None else (column.digits, column.title)
    label = labels_of(result).get(target.arm, target.arm)
    seeds = f"{target.seeds_met} of {counted(target.seeds, 'seed')} meet it"
    bound, value = number(target.bound, digits), number(target.value, digits)
    return f"{game_name(game)}, {label}: {title} {target.relation} {bound} (median {value}, {seeds})"


def progress(result: StudyResult) -> list[str]:
    """What of the study is missing, as sentences; empty for a complete one."""
    done, wanted = result.cells
    lines = [f"This study is not finished: {done} of {wanted} cells are done."] if done < wanted else []
    labels, texts = labels_of(result), []
    for game in result.games:
        seeds = {row.arm: row.seeds for row in game.rows if row.kind != "reference"}
        short = [
            f"{labels.get(arm, arm)} ({seeds.get(arm, 0)} of {counted(planned, 'seed')})"
            for arm, planned in result.planned.items()
            if _behind(game, arm, seeds.get(arm, 0), planned)
        ]
        texts += [f"{game_title(game)}: {', '.join(short)}"] if short else []
    return lines + ([f"Not run yet: {'; '.join(texts)}."] if texts else [])


def _behind(game: StudyGame, arm: str, seeds: int, planned: int) -> bool:
    kind = next((row.kind for row in game.rows if row.arm == arm), "trained")
    return seeds < planned and not (kind == "start" and any(row.arm == arm for row in game.rows))


def observations(result: StudyResult) -> list[str]:
    """What else a reader must know of an arm: what the scripts do not see, what a probe leaves, who faults."""
    found = [*(_blind(game) for game in result.games), *_probed(result), _faulting(result)]
    return [sentence for sentence in found if sentence]


def _blind(game: StudyGame) -> str:
    """Arms for which pool exploitability reads 0.000 although an exact opponent still gets the better of them."""
    metric = next(
        (m for m in ("nash_conv", "worst_case_advantage") if any(m in row.estimates for row in game.rows)), None
    )
    if metric is None:
        return ""
    blind = [
        f"{row.label} ({number(row.estimates[metric].value, 3)})"
        for row in game.rows
        if row.kind != "reference" and unseen(_value(row, "pool_exploitability"), _value(row, metric))
    ]
    if not blind:
        return ""
    more = f" and {len(blind) - _NAMED} more" if len(blind) > _NAMED else ""
    name = "exact NashConv" if metric == "nash_conv" else "exact worst-case advantage"
    reads = f"In {game_name(game)} pool exploitability reads 0.000 for {listing(blind[:_NAMED])}{more}"
    return f"{reads}, in brackets their {name}."


def _value(row: StudyRow, metric: str) -> float:
    found = row.estimates.get(metric)
    return float("nan") if found is None else found.value


def _probed(result: StudyResult) -> list[str]:
    """Game by game, of which arms all seeds are left more, or less, by a probe than they earn from themselves."""
    found: dict[str, dict[str, list[str]]] = {"more": {}, "less": {}}
    for game in result.games:
        for row in game.rows:
            pairs = zip(row.values.get("under_probe", ()), row.values.get("self_play", ()), strict=False)
            gaps = [left - alone for left, alone in pairs if known(left) and known(alone)]
            if len(gaps) > 1 and (min(gaps) > 0 or max(gaps) < 0):
                found["more" if min(gaps) > 0 else "less"].setdefault(game_name(game), []).append(row.label)
    return [
        f"In every seed a probe leaves an agent {word} than it earns from itself: "
        f"{'; '.join(f'in {game} {listing(labels)}' for game, labels in games.items())}."
        for word, games in found.items()
        if games
    ]


def _faulting(result: StudyResult) -> str:
    """Which arms reply with no legal action often, in how many seeds and how often at most."""
    found = []
    for game in result.games:
        for row in game.rows:
            shares: Sequence[float] = [share for share in row.values.get("fault_rate", ()) if known(share)]
            often = sum(share > _FAULTS_WORTH_SAYING for share in shares)
            if often:
                most = f"{number(100 * max(shares), 0)} % of the decisions"
                seeds = f", {often} of {counted(len(shares), 'seed')}" if row.seeds > 1 else ""
                found.append(f"{row.label} in {game_name(game)} (up to {most}{seeds})")
    return f"Replies are often no legal action from {listing(found)}." if found else ""
