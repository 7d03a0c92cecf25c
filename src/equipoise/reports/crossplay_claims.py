"""What a tournament may say in words: every sentence is decided by corrected intervals, and a tie is called a tie."""

from equipoise.reports.crossplay_tables import (
    Crossplay,
    compared,
    digits_of,
    figure,
    has_cooperation,
    has_efficiency,
    has_faults,
    has_talk,
    leaders,
    names_of,
)
from equipoise.reports.formats import listing, number


def claims(table: Crossplay) -> list[str]:
    """The findings, most important first."""
    found = [_self_play(table), _everywhere(table), _ties(table), _faults(table)]
    return [sentence for sentence in found if sentence]


def terms(table: Crossplay) -> list[tuple[str, str]]:
    """How to read the figures that this tournament has: pairs of a name and a text."""
    unit = table["unit"]
    found = [
        (
            "Pay",
            f"In {unit}. The row's agent is paid, against the column's opponent; the diagonal is self-play. A match's "
            "pay is divided by the rounds that were played, then averaged over the matches of both seats.",
        ),
        (
            "Interval",
            "The brackets hold the value with 95 % confidence. Deals are its units: on one deal all agents meet under "
            "the same luck, in both seats. Where nothing varies from deal to deal there is no width.",
        ),
        (
            "Difference, tie",
            "Two agents are compared match by match against the same opponent, in the same seat, on the same deal. "
            f"{table['comparisons']['method']}'s correction for {table['comparisons']['count']} comparisons widens the "
            "intervals of differences so that all of them hold at once with 95 % confidence. A difference whose "
            "interval contains zero is a tie: too close to call, which is no proof that the two are equal.",
        ),
        ("Welfare", f"The pay of both players together, in {unit}."),
    ]
    if has_efficiency(table):
        found.append(("Efficiency", "Joint pay over the best joint pay that the deals of the matches allow."))
    if has_cooperation(table):
        definition = str(table.get("cooperation") or "").strip().rstrip(".")
        found += [
            ("Cooperation", f"Share of the rounds that ask a player in which it cooperates. Here: {definition}."),
            (
                "After CC, CD, DC, DD",
                "The joint move before: the agent's own newest answer first, then the opponent's; C cooperated, D did "
                "not. A round is first until both have been asked once. What never came up has no figure: this "
                "describes play between these two, and not what an agent would do in states that it avoids.",
            ),
        ]
    if has_talk(table):
        found += [
            (
                "Honesty",
                "Share of the agent's messages that state something, such as its hand, which state the truth. A small "
                "and strict reader decides what a message states; words that it does not understand state nothing.",
            ),
            (
                "Promises kept",
                "Share of the agent's promises that it kept, in rounds that nobody forfeited. To promise to take all "
                "there is promises nothing.",
            ),
        ]
    return [*found, ("Fault", "A reply that names no legal action. None is dropped or played again.")]


def _self_play(table: Crossplay) -> str:
    if None not in compared(table):
        return ""
    best, *ties = leaders(table, None)
    welfare = figure(table, best, None)["value"]
    value = f"{number(welfare, digits_of([welfare]))} {table['unit']} for both players together"
    if ties:
        return f"In self-play {listing([best, *ties])} tie for the highest welfare: {best} has {value}."
    return f"In self-play {best} has the highest welfare: {value}."


def _everywhere(table: Crossplay) -> str:
    opponents = [opponent for opponent in compared(table) if opponent is not None]
    always = [name for name in names_of(table) if all(name in leaders(table, opponent) for opponent in opponents)]
    if not always:
        return "No agent is paid most, or ties for it, against every opponent."
    paid = "is paid most, or ties for it" if len(always) == 1 else "are each paid most, or tie for it"
    return f"{listing(always)} {paid}, against every opponent."


def _ties(table: Crossplay) -> str:
    count = len(table["differences"])
    ties = sum(entry["verdict"] == "tie" for entry in table["differences"])
    method = table["comparisons"]["method"]
    found = f"{ties} of {count} paired differences {'is a tie' if ties == 1 else 'are ties'}"
    return f"{found}, by intervals with {method}'s correction for their number."


def _faults(table: Crossplay) -> str:
    if not has_faults(table):
        return ""
    worst = max(table["cells"], key=lambda cell: (cell["fault_rate"] or {}).get("value") or 0.0)
    share = number(100 * worst["fault_rate"]["value"], 1)
    return f"Faults reach {share} % of {worst['agent']}'s replies, against {worst['opponent']}."
