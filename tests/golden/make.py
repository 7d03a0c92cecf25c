"""Writes the golden playthroughs: `python tests/golden/make.py` rewrites every file that the golden test compares.

A playthrough prints what each seat reads, word for word, before each of its decisions, and both whole transcripts at
the end.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from equipoise.core import CHANCE, Fault, Game, State
from equipoise.games import make_game
from equipoise.games.text import parse, render_event, render_observation

FOLDER = Path(__file__).parent
Play = tuple[tuple[str, ...], ...]
"""Per hand: the cards of (first to act, second to act), then the replies in order of play."""

PLAYS: Mapping[str, tuple[str, Mapping[str, int], Sequence[Play]]] = {
    "kuhn_poker_1.txt": (
        "kuhn_poker",
        {},
        (
            (("KQ", "check", "check"),),
            (("JK", "bet", "fold"),),
            (("QJ", "bet", "Call!"),),
            (("QK", "check", "Action: bet", "fold"),),
            (("KJ", "I have the king.\ncheck", "bet", "call"),),
            (("KJ", "check", "bet or check"),),
            (("JQ", "call"),),
        ),
    ),
    "kuhn_poker_6.txt": (
        "kuhn_poker",
        {"hands": 6},
        (
            (
                ("KQ", "check", "check"),
                ("JK", "bet", "fold"),
                ("QJ", "bet", "I would never fold here"),
                ("QK", "check", "bet", "call"),
                ("KJ", "fold"),
                ("JQ", "check", "bet", "fold"),
            ),
        ),
    ),
}


def playthrough(name: str) -> str:
    """The text of one golden file."""
    game_name, parameters, plays = PLAYS[name]
    game = make_game(game_name, **parameters)
    lines = [f"# {game_name} {dict(parameters)}", "", "## Rules, as every seat reads them", game.rules_text]
    for number, play in enumerate(plays, start=1):
        lines += ["", f"## Play {number}"]
        state, read = game.initial_state(), [0] * game.num_players
        for hand in play:
            state = state.child({CHANCE: tuple(hand[0])})
            lines += [f"(chance deals {hand[0]})"]
            for reply in hand[1:]:
                state = _reply(game, state, reply, read, lines)
        lines += [f"(returns {state.returns})"]
        for seat in range(game.num_players):
            lines += ["", f"### All that seat {seat} saw", *_sentences(game, state, seat)]
    return "\n".join(lines) + "\n"


def _reply(game: Game, state: State, reply: str, read: list[int], lines: list[str]) -> State:
    """The state after one reply; like the arena, it tells a seat what is new and never its own spoken action."""
    (seat,) = state.players_to_move
    seen, legal = state.information_state(seat), state.legal_actions(seat)
    observation = render_observation(game, seen[read[seat] :], seat, legal)
    lines += [f"seat {seat} reads:  {observation}", f"seat {seat} says:   {reply!r}"]
    meant = parse(game, reply, legal)
    read[seat] = len(seen) + (not isinstance(meant, Fault))
    if isinstance(meant, Fault):
        after = state.forfeit(seat)
        lines += [f"(fault: {meant.kind}: {meant.detail}; the hand is forfeited)"]
    else:
        after = state.child({seat: meant})
    if any(after.rewards):
        lines += [f"(rewards {after.rewards})"]
    return after


def _sentences(game: Game, state: State, seat: int) -> list[str]:
    return [render_event(game, event, seat) for event in state.information_state(seat)]


def main() -> None:
    """Rewrites every golden file."""
    for name in PLAYS:
        (FOLDER / name).write_text(playthrough(name), encoding="utf-8")
        sys.stdout.write(f"wrote {FOLDER / name}\n")


if __name__ == "__main__":
    main()
