"""Writes the golden playthroughs: `python tests/golden/make.py` rewrites every file that the golden test compares.

A playthrough prints what each seat reads, word for word, before each of its decisions, and both whole transcripts at
the end. The plays of a game are in plays/GAME.py: `PLAYS` maps a file to the game's parameters and its plays, and a
play lists, in order, each chance outcome and each reply; where both seats move at once, seat 0's reply comes first.
They are read in the terse wording; FULL shows what every game adds to it for models that are asked in full.
"""

import runpy
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from equipoise.core import CHANCE, Action, Fault, Game, State
from equipoise.games import DOMAINS, make_game
from equipoise.games.examples import examples
from equipoise.games.text import parse, render_event, render_observation, render_rules

FOLDER = Path(__file__).parent
FULL = "asked_in_full.txt"
PLAYS: Mapping[str, tuple[str, Mapping[str, Any], Sequence[Sequence[Any]]]] = {
    name: (path.stem, parameters, plays)
    for path in sorted((FOLDER / "plays").glob("*.py"))
    for name, (parameters, plays) in runpy.run_path(str(path))["PLAYS"].items()
}


def playthrough(name: str) -> str:
    """The text of one golden file."""
    game_name, parameters, plays = PLAYS[name]
    game = make_game(game_name, **parameters)
    lines = [f"# {game_name} {dict(parameters)}", "", "## Rules, as every seat reads them", render_rules(game)]
    for number, play in enumerate(plays, start=1):
        lines += ["", f"## Play {number}"]
        state, read, steps = game.initial_state(), [0] * game.num_players, list(play)
        while steps:
            if state.is_chance:
                outcome = steps.pop(0)
                lines += [f"(chance: {outcome!r})"]
                state = state.child({CHANCE: outcome})
            else:
                replies = {seat: steps.pop(0) for seat in state.players_to_move}
                state = _replied(game, state, replies, read, lines)
        assert state.is_terminal, f"play {number} of {name} stops before its game ends"
        lines += [f"(returns {state.returns})"]
        for seat in range(game.num_players):
            lines += ["", f"### All that seat {seat} saw", *_sentences(game, state, seat)]
    return "\n".join(lines) + "\n"


def asked_in_full() -> str:
    """The text of FULL: every game's examples, and the first observation of the seat that moves first."""
    lines = ["# What stands between the rules and the first observation, and how that observation closes"]
    for name in DOMAINS:
        game = make_game(name)
        state = game.initial_state()
        while state.is_chance:
            state = state.child({CHANCE: state.chance_outcomes()[0][0]})
        seat = state.players_to_move[0]
        lines += ["", f"## {name}"]
        for question, reply in examples(game, "full"):
            lines += [f"reads: {question!r}", f"says:  {reply!r}"]
        seen = render_observation(game, state.information_state(seat), seat, state.legal_actions(seat), "full")
        lines += [f"seat {seat} reads: {seen!r}"]
    return "\n".join(lines) + "\n"


def _replied(game: Game, state: State, replies: Mapping[int, str], read: list[int], lines: list[str]) -> State:
    """The state after the replies; like the arena, it tells a seat what is new and never its own spoken action."""
    moves: dict[int, Action] = {}
    forfeits: list[int] = []
    for seat, reply in replies.items():
        seen, legal = state.information_state(seat), state.legal_actions(seat)
        observation = render_observation(game, seen[read[seat] :], seat, legal, "terse")
        lines += [f"seat {seat} reads:  {observation}", f"seat {seat} says:   {reply!r}"]
        meant = parse(game, reply, legal)
        read[seat] = len(seen) + (not isinstance(meant, Fault))
        if isinstance(meant, Fault):
            forfeits.append(seat)
            lines += [f"(fault: {meant.kind}: {meant.detail}; the round is forfeited)"]
        else:
            moves[seat] = meant
    if forfeits:
        for seat in replies:
            read[seat] = len(state.information_state(seat))
    after = state.forfeit(forfeits[0]) if forfeits else state.child(moves)
    if any(after.rewards):
        lines += [f"(rewards {after.rewards})"]
    return after


def _sentences(game: Game, state: State, seat: int) -> list[str]:
    sentences = [render_event(game, event, seat) for event in state.information_state(seat)]
    return [sentence for sentence in sentences if sentence]


def main() -> None:
    """Rewrites every golden file."""
    for name in PLAYS:
        (FOLDER / name).write_text(playthrough(name), encoding="utf-8")
        sys.stdout.write(f"wrote {FOLDER / name}\n")
    (FOLDER / FULL).write_text(asked_in_full(), encoding="utf-8")
    sys.stdout.write(f"wrote {FOLDER / FULL}\n")


if __name__ == "__main__":
    main()
