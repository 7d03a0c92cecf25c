"""What the alignment study may say in words: targets as counted, everything else decided by paired intervals.

A target is met or missed by the median of the seeds, and says how many seeds meet it. That one arm earns more than
another is said only where the interval of their paired difference excludes zero.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from equipoise.reports.alignment_arms import ARMS, digits_of, seed_pairs, seed_values
from equipoise.reports.alignment_tables import labels_of, target_text, unfinished
from equipoise.reports.formats import listing, number
from equipoise.reports.study_arms import Game, Row, game_name, games_named, measured
from equipoise.reports.study_claims import Verdict, compared, difference, signed
from equipoise.reports.study_claims import progress as study_progress

_FLIPPED = {"value": "value", "low": "high", "high": "low"}


@dataclass(frozen=True)
class _Claim:
    """One comparison of two arms: its words, with {more} where a difference above zero says `more`, below it `less`.

    `hoped` is the side of zero that is told first where the games disagree.
    """

    arm: str
    minus: str
    metric: str
    text: str
    hoped: Verdict = "above"


_EARNS = "{arm} earns {more} in self-play than {minus}"
_TAKES = "greedy takes {more} from {arm} than from {minus}"
_MEETS_GREEDY = "against greedy {arm} earns {more} than {minus}"
_MEETS_NAIVE = "against the naive agent {arm} earns {more} than {minus}"
_GAINS = "a probe gains {more} from {arm} than from {minus}"
_CLAIMS = (
    _Claim("alignment", "naive", "self_play", _EARNS),
    _Claim("sum_of_rewards", "naive", "self_play", _EARNS),
    _Claim("sum_of_rewards", "naive", "greedy_takes", _TAKES),
    _Claim("alignment", "sum_of_rewards", "greedy_takes", _TAKES, "below"),
    _Claim("alignment", "naive", "greedy_takes", _TAKES, "below"),
    _Claim("alignment", "sum_of_rewards", "against_greedy", _MEETS_GREEDY),
    _Claim("alignment", "sum_of_rewards", "against_naive", _MEETS_NAIVE),
    _Claim("alignment", "sum_of_rewards", "self_play", _EARNS),
    _Claim("alignment", "sum_of_rewards", "probe_gain", _GAINS, "below"),
    _Claim("alignment", "naive", "probe_gain", _GAINS, "below"),
    _Claim("alignment", "start", "self_play", _EARNS),
)
_MORE: dict[Verdict, str] = {"above": "more", "below": "less"}
_VARIANTS = ("alignment_inclusive", "without_past", "without_baseline", "alignment_sepo")
"""Arms that change one thing about alignment."""

_CHANGES = {
    "self_play": "self-play pay",
    "against_greedy": "pay against greedy",
    "greedy_takes": "what greedy takes",
    "against_cooperative": "pay against the cooperative script",
    "probe_gain": "the probe's gain",
}

_PROBED = ("alignment", "sum_of_rewards")
"""Arms of which it is told whether a probe's gain is their loss."""

_FAULTS_WORTH_SAYING = 0.02
"""Share of an arm's decisions above which its faults are told."""

_HIGHER: dict[Verdict, str] = {"above": "higher", "below": "lower"}
_OPEN: dict[Verdict, str] = {"tie": "a tie", "undecided": "no interval yet"}


def target_claims(table: Mapping[str, Any]) -> list[str]:
    """How many targets are met, then those that are missed, each with its median and how many seeds meet it."""
    found = [(game, target) for game in table["games"] for target in game.get("targets", ())]
    if not found:
        return []
    known = [(game, target) for game, target in found if target["met"] is not None]
    if not known:
        return [f"None of {len(found)} targets is measured yet."]
    so_far = " so far" if any(unfinished(table, target) for _, target in known) else ""
    met = sum(target["met"] for _, target in known)
    open_targets = len(found) - len(known)
    more = f"; not measured yet: {open_targets}" if open_targets else ""
    texts = [_missed(table, game, target) for game, target in known if not target["met"]]
    sentences = [f"Targets met{so_far} by the median of the seeds: {met} of {len(known)}{more}."]
    return [*sentences, f"Missed{so_far}: {'; '.join(texts)}."] if texts else sentences


def _missed(table: Mapping[str, Any], game: Game, target: Mapping[str, Any]) -> str:
    measured = number(target["value"], digits_of(game, target["metric"]))
    seeds = f"{target['seeds_met']} of {target['seeds']} seed{'' if target['seeds'] == 1 else 's'} meet it"
    return f"{game_name(game)}, {target_text(table, game, target)} (median {measured}, {seeds})"


def paired(game: Game, arm: str, minus: str, metric: str) -> Mapping[str, Any] | None:
    """The game's paired difference of two arms, whichever way round it was stored; None where it was not computed."""
    found = difference(game, arm, minus, metric)
    if found is not None:
        return found
    other = difference(game, minus, arm, metric)
    if other is None:
        return None
    ends = {key: None if other.get(end) is None else -other[end] for key, end in _FLIPPED.items()}
    return {**other, **ends}


def _verdicts(table: Mapping[str, Any], key: tuple[str, str, str]) -> dict[Verdict, list[Game]]:
    return compared(table["games"], lambda game: paired(game, *key))


def _amounts(games: Sequence[Game], arm: str, minus: str, metric: str) -> str:
    return listing(
        f"{game_name(game)} ({signed(paired(game, arm, minus, metric) or {}, digits_of(game, metric))})"
        for game in games
    )


def _claimed(table: Mapping[str, Any], claim: _Claim) -> str:
    """In which games a difference is decided, on which side and by how much, and in which it is not; "" for none."""
    key = (claim.arm, claim.minus, claim.metric)
    found, labels = _verdicts(table, key), labels_of(table)
    sides = [side for side in sorted(_MORE, key=lambda side: side != claim.hoped) if found[side]]
    decided = sum(len(found[side]) for side in _MORE) + len(found["tie"])
    if not decided:
        return ""

    def told(more: str) -> str:
        return claim.text.format(arm=labels[claim.arm], minus=labels[claim.minus], more=more)

    parts = [f"{_MORE[side]} in {_amounts(found[side], *key)}" for side in sides]
    if sides:
        games = f"in {len(found[sides[0]])} of {decided} games: " if decided > 1 else "in "
        parts[0] = f"{told(_MORE[sides[0]])} {games}{_amounts(found[sides[0]], *key)}"
    if found["tie"]:
        parts.append(f"{_tie_opens(sides, told)} {games_named(found['tie'])}")
    if found["undecided"]:
        parts.append(f"no interval yet in {games_named(found['undecided'])}")
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}."


def _tie_opens(sides: Sequence[Verdict], told: Callable[[str], str]) -> str:
    return "a tie in" if sides else f"too close to call whether {told('more or less')}:"


def _changed(table: Mapping[str, Any], arm: str) -> str:
    """What one variant of alignment changes, metric by metric, the undecided last; "" before anything is decided."""
    parts, decided = [], False
    gathered: dict[tuple[str, str], list[str]] = {}
    for metric, name in _CHANGES.items():
        key = (arm, "alignment", metric)
        found = _verdicts(table, key)
        decided = decided or any(found[side] for side in (*_MORE, "tie"))
        moves = [f"{word} in {_amounts(found[side], *key)}" for side, word in _HIGHER.items() if found[side]]
        if moves:
            parts.append(f"{name} is {', '.join(moves)}")
        for side, words in _OPEN.items():
            if found[side]:
                gathered.setdefault((words, games_named(found[side])), []).append(name)
    parts += [f"{words} for {listing(names)} in {games}" for (words, games), names in gathered.items()]
    labels = labels_of(table)
    return f"{labels[arm]} against {labels['alignment']}: {'; '.join(parts)}." if decided else ""


def _probed(table: Mapping[str, Any], arm: str) -> str:
    """Whether a probe leaves an arm more or less than it earns from itself, and where all its seeds agree on that."""
    found: dict[str, list[str]] = {"more": [], "less": [], "": []}
    for game in table["games"]:
        for row in (row for row in game["rows"] if row["arm"] == arm):
            gaps = [left - alone for left, alone in seed_pairs(row, "under_probe", "self_play")]
            if len(gaps) > 1:
                side = "more" if min(gaps) > 0 else "less" if max(gaps) < 0 else ""
                left, alone = (_median(game, row, metric) for metric in ("under_probe", "self_play"))
                found[side].append(f"{game_name(game)} ({left} against {alone})")
    agreed = [side for side in _MORE.values() if found[side]]
    leaves, itself = f"a probe leaves {labels_of(table).get(arm, arm)}", "than it earns from itself"
    parts = [f"{side} in {listing(found[side])}" for side in agreed]
    if agreed:
        parts[0] = f"In every seed {leaves} {agreed[0]} {itself} in {listing(found[agreed[0]])}"
    if found[""]:
        whether = "seeds disagree" if agreed else f"Seeds disagree whether {leaves} more or less {itself}"
        parts.append(f"{whether} in {listing(found[''])}")
    return f"{'; '.join(parts)}." if parts else ""


def _faulting(table: Mapping[str, Any]) -> str:
    """Which arms reply with no legal action often, in how many seeds and how often at most; "" where none does."""
    found = []
    for game in table["games"]:
        for row in game["rows"]:
            shares = [share for share in seed_values(row, "fault_rate") if share is not None]
            often = sum(share > _FAULTS_WORTH_SAYING for share in shares)
            if often:
                seeds = f" of {often} of {len(shares)} seeds" if row["kind"] == "trained" else ""
                most = f"{number(100 * max(shares), 0)} %"
                found.append(f"{row['label']} in {game_name(game)} (up to {most} of the decisions{seeds})")
    return f"Replies in self-play are often no legal action from {listing(found)}." if found else ""


def _median(game: Game, row: Row, metric: str) -> str:
    return number(measured(row, metric)["value"], digits_of(game, metric))


def claims(table: Mapping[str, Any]) -> list[str]:
    """What the paired differences decide, most important first, and what else a reader must know of an arm.

    What was not compared is not mentioned.
    """
    decided = [*(_claimed(table, claim) for claim in _CLAIMS), *(_changed(table, arm) for arm in _VARIANTS)]
    if not any(decided) and any(game.get("differences") for game in table["games"]):
        decided = ["No difference between arms has an interval yet: that takes two seeds of both."]
    return [text for text in (*decided, *(_probed(table, arm) for arm in _PROBED), _faulting(table)) if text]


def progress(table: Mapping[str, Any]) -> list[str]:
    """What of the study is missing, as sentences; empty for a complete one."""
    return study_progress(table, ARMS)
