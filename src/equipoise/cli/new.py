"""`equipoise new game NAME`: an installable package with a small working game, its check and its entry point."""

from __future__ import annotations

import argparse
import keyword
import re
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from equipoise.errors import UserError
from equipoise.registry import names

TEMPLATES = Path(__file__).parent / "templates" / "game"

_NAME = re.compile(r"[a-z][a-z0-9_]{1,39}", re.ASCII)


def add_to(verbs: Any) -> None:
    """Adds the command to the parser."""
    verb = verbs.add_parser("new", help="write a package of your own to start from: equipoise new game my_game")
    verb.add_argument("kind", choices=("game",), help="what it adds to equipoise")
    verb.add_argument("name", help="its name in commands and its Python module: lower case, digits, underscores")
    verb.add_argument("--out", type=Path, help="the folder to make (default: NAME)")
    verb.set_defaults(run=new)


def new(options: argparse.Namespace) -> None:
    """Writes the package and says what to do next."""
    folder = write_game(options.name, options.out or Path(options.name))
    print(f"{folder}: a small working game; {folder / f'{options.name}.py'} is the file to change")
    print(f"  pip install -e {folder}")
    print(f"  equipoise games {options.name}")
    print(f"  equipoise audit tiny --game {options.name}")


def write_game(name: str, out: Path) -> Path:
    """The folder of a new package with a game of this name.

    Args:
        name: Of the game and its module.
        out: The folder to make; it must not exist.

    Raises:
        UserError: For a name that cannot be one or is taken, or a folder that exists.
    """
    check_name(name)
    if out.exists():
        raise UserError(f"{out} exists; choose another --out, nothing was written")
    words = {
        "GAME_NAME": name,
        "GameClass": "".join(part.capitalize() for part in name.split("_")),
        "DIST_NAME": name.replace("_", "-").strip("-"),
    }
    partial = out.with_name(f"{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for template in sorted(TEMPLATES.glob("*.txt")):
        text = template.read_text(encoding="utf-8")
        for word, meant in words.items():
            text = text.replace(word, meant)
        (partial / template.stem.replace("game.py", f"{name}.py")).write_text(text, encoding="utf-8")
    partial.replace(out)
    return out


def check_name(name: str) -> None:
    """Nothing for a name that a new game may have.

    Raises:
        UserError: For one that is no module's name, or that a game or a module has already.
    """
    if not _NAME.fullmatch(name) or keyword.iskeyword(name) or name.endswith("_"):
        raise UserError(
            f"got the name {name!r}; allowed: 2 to 40 lower-case letters, digits and underscores, a letter first, "
            "as in my_game"
        )
    if name in names("game"):
        raise UserError(f"there is a game {name!r} already; choose another name")
    if name in sys.stdlib_module_names or find_spec(name) is not None:
        raise UserError(f"there is a Python module {name!r} already, which the game would hide; choose another name")
