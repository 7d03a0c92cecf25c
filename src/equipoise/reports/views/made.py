"""What every page says of how its result came to be."""

from __future__ import annotations

from collections.abc import Sequence

from equipoise.lab.results import GameRecord, Made
from equipoise.reports.document import Section, Term, Terms
from equipoise.reports.formats import duration, known


def facts(game: GameRecord, seeds: Sequence[int], made: Made) -> list[str]:
    """Game, seeds and computing time in a few words each."""
    parameters = " ".join(f"{key}={value}" for key, value in game.parameters.items())
    found = [f"game {game.name} {parameters}".rstrip()]
    found += [f"seeds {', '.join(map(str, seeds))}"] if seeds else []
    found += [f"time {duration(made.seconds)}"] if known(made.seconds) else []
    return found


def made_section(made: Made, first: Sequence[Term] = ()) -> Section:
    """How a result came to be: its command, time and versions, after what only its kind knows."""
    versions = ", ".join(f"{name} {version}" for name, version in made.versions.items())
    terms = [Term("Command", made.command, code=True)] if made.command else []
    terms += [*first]
    terms += [Term("Computing time", duration(made.seconds))] if known(made.seconds) else []
    terms += [Term(name, text) for name, text in (("Created", made.created), ("Versions", versions)) if text]
    return Section("How it was made", [Terms(terms)], folded=True)
