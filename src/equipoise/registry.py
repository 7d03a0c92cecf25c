"""One door for games, opponents, metrics, hazards, credit rules, models, engines, reports, studies: ours or anybody's.

A name is looked up among ours, then among the entry points of installed packages, one group for each kind. Two further
spellings need no package at all:

    kuhn_poker                    ours
    rock_paper_scissors           an entry point: [project.entry-points."equipoise.games"] in a package's pyproject.toml
    my_package.games:MyGame       an attribute of an importable module
    games/mine.py:MyGame          an attribute of a file

Everything loads when it is asked for and not before. What cannot be loaded is told in one line that names the package,
to whoever asks for that name; nobody else notices. Nothing here evaluates text.
"""

from __future__ import annotations

import difflib
import hashlib
import inspect
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, get_args

from equipoise.errors import UserError, said

if TYPE_CHECKING:  # it takes longer to import than all of this package's door
    from importlib.metadata import EntryPoint

Kind = Literal["game", "opponent", "metric", "hazard", "credit_rule", "model", "engine", "report", "study"]
"""What can be found."""

KINDS: tuple[Kind, ...] = get_args(Kind)

_SPEC = re.compile(r"(?P<module>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)")
_FILE = re.compile(r"(?P<file>.+\.py):(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)", re.DOTALL)


_FILES: list[Path] = []


class PluginWarning(UserWarning):
    """Something that an installed package offers is not used; the message names the package."""


@dataclass(frozen=True)
class Door:
    """How one kind of thing is found.

    Attributes:
        called: What one of them is called in a message.
        group: The entry point group of installed packages.
        ours: Where our own are listed, as "module:NAME": a mapping from a name to the "module:NAME" that holds it.
        read: Where the function is that turns what was found into what the kind promises, as "module:function". It is
            called with what was found and the name it was asked by, and raises `UserError` for what is no such thing.
    """

    called: str
    group: str
    ours: str
    read: str


DOORS: Mapping[Kind, Door] = {
    "game": Door("game", "equipoise.games", "equipoise.games:OURS", "equipoise.games.domain:read_domain"),
    "opponent": Door(
        "opponent", "equipoise.opponents", "equipoise.games:OPPONENTS", "equipoise.games.domain:read_opponent"
    ),
    "metric": Door(
        "metric", "equipoise.metrics", "equipoise.metrics.named:OURS", "equipoise.metrics.named:read_metric"
    ),
    "hazard": Door("hazard", "equipoise.hazards", "equipoise.games:HAZARDS", "equipoise.games.domain:read_hazard"),
    "credit_rule": Door(
        "credit rule",
        "equipoise.credit_rules",
        "equipoise.objectives.rules:OURS",
        "equipoise.objectives.rules:read_rule",
    ),
    "model": Door("model", "equipoise.models", "equipoise.models:OURS", "equipoise.models:read_model"),
    "engine": Door(
        "engine", "equipoise.engines", "equipoise.models.serving:OURS", "equipoise.models.serving:read_engine"
    ),
    "report": Door("report", "equipoise.reports", "equipoise.registry:NONE", "equipoise.registry:read_callable"),
    "study": Door("study", "equipoise.studies", "equipoise.lab.study:OURS", "equipoise.lab.study:read_study"),
}

NONE: Mapping[str, str] = {}
"""A kind of which we ship none."""


@dataclass(frozen=True)
class Listed:
    """One name that can be asked for.

    Attributes:
        name: The name.
        package: The installed package that offers it; "" for ours.
        problem: Why it cannot be used, in one line; "" where it can.
    """

    name: str
    package: str = ""
    problem: str = ""


def find(kind: Kind, name: str) -> Any:
    """The game, opponent, metric ... of this name: ours, an installed package's, `module:Name` or `file.py:Name`.

    Args:
        kind: One of `KINDS`.
        name: In any of the four spellings.

    Returns:
        For a game its `Domain`, for an opponent an `Opponent`, for a model a folder, and so on, as the kind's own
        module says.

    Raises:
        UserError: Nothing of that name, or something that cannot be loaded or is no such thing; one line.
    """
    door = _door(kind)
    if ":" in name:
        return _read(door, _from_spec(door, name), name, f"{name!r}")
    if name.endswith(".py"):
        raise UserError(f"{name!r} is a file; say what in it is the {door.called}: {name}:Name")
    ours, offered = _ours(door), _offered(door.group).get(name, ())
    if name in ours:
        for point in offered:
            line = f"{_owner(point)} also offers {_a(door)} {name!r}; ours is used, theirs is {_spelled(point)}"
            warnings.warn(line, PluginWarning, stacklevel=2)
        return _read(door, _named(ours[name]), name, f"{name!r}")
    if not offered:
        raise UserError(f"unknown {door.called} {name!r}; {known(kind, name)}")
    if len(offered) > 1:
        owners = " and ".join(_owner(point) for point in offered)
        ways = " or ".join(_spelled(point) for point in offered)
        raise UserError(f"{owners} both offer {_a(door)} {name!r}; say which: {ways}")
    return _from_package(door, offered[0])


def names(kind: Kind) -> tuple[str, ...]:
    """Every name of a kind that can be asked for, ours first; whether each can be loaded is not tried."""
    door = _door(kind)
    return tuple(dict.fromkeys([*_ours(door), *sorted(_offered(door.group))]))


def listed(kind: Kind) -> tuple[Listed, ...]:
    """Every name of a kind with its package, and what is wrong with the ones that cannot be used; all are loaded."""
    door = _door(kind)
    rows = [Listed(name) for name in _ours(door)]
    for name, offered in sorted(_offered(door.group).items()):
        package = ", ".join(_package(point) for point in offered)
        problem = ""
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", PluginWarning)
                find(kind, name)
            problem = next((str(w.message) for w in caught if issubclass(w.category, PluginWarning)), "")
        except UserError as error:
            problem = str(error)
        rows.append(Listed(name, package, problem))
    return tuple(rows)


def known(kind: Kind, wanted: str) -> str:
    """What can be asked for, as the end of a message about a name that cannot: all names and the nearest."""
    every = names(kind)
    spelled = "package.module:Name or path/file.py:Name"
    if not every:
        return f"known by name: none; or give {spelled}"
    return f"known: {nearest(every, wanted)}"


def nearest(every: Iterable[str], wanted: str, cutoff: float = 0.3) -> str:
    """All names, and the one that may have been meant."""
    every = list(every)
    close = difflib.get_close_matches(wanted, every, n=1, cutoff=cutoff)
    return f"{', '.join(every)}{f'. Did you mean {close[0]!r}?' if close else ''}"


def read_callable(found: Any, name: str) -> Callable[..., Any]:
    """What was found, if it can be called.

    Raises:
        UserError: Where it cannot.
    """
    if not callable(found):
        raise UserError(f"{name!r} is {described(found)}; needed: a class or a function")
    called: Callable[..., Any] = found
    return called


def read_function(found: object, name: str, needed: str, arguments: int) -> Callable[..., Any]:
    """What was found, if it is a function that can be called so; a class is none.

    Args:
        found: What somebody registered.
        name: The name it was asked by.
        needed: What would do, as the end of a message.
        arguments: How many it will be called with.

    Raises:
        UserError: Where it is none.
    """
    if not callable(found) or isinstance(found, type):
        raise UserError(f"{name!r} is {described(found)}; needed: {needed}")
    if not _takes(found, arguments):
        raise UserError(f"{name!r} is a function that cannot be called with {arguments} arguments; needed: {needed}")
    return found


def _takes(found: Callable[..., Any], arguments: int) -> bool:
    try:
        inspect.signature(found).bind(*range(arguments))
    except TypeError:
        return False
    except ValueError:  # a builtin that does not say
        return True
    return True


def first_line(found: Callable[..., Any], name: str) -> str:
    """What a function means, in the first line of its docstring, or by the name it was found by."""
    text = (found.__doc__ or "").strip().splitlines()
    return text[0] if text else f"found as {name}"


def short_name(name: str) -> str:
    """The last part of a name: what it means by itself, without package, module or file."""
    return name.rpartition(":")[2].rpartition(".")[2]


def described(found: Any) -> str:
    """What a value is, for a message that says it is the wrong thing."""
    return f"the class {found.__name__}" if isinstance(found, type) else f"a value of type {type(found).__name__}"


def is_foreign(kind: Kind, name: str) -> bool:
    """Whether a name means somebody else's: a package's, a module's or a file's."""
    return name not in _ours(_door(kind))


def code_of(name: str) -> str:
    """A digest of the file in `path/file.py:Name`, by which a stored result knows that it changed; "" elsewhere."""
    match = _FILE.fullmatch(name)
    file = Path(match["file"]) if match is not None else None
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16] if file is not None and file.is_file() else ""


def loaded_files() -> tuple[Path, ...]:
    """The files that something was taken from in this process; another process loads them with `load_files`."""
    return tuple(_FILES)


def load_files(files: Iterable[Path]) -> None:
    """Loads files as `find` does, so that a worker process knows the classes that another takes from them.

    Raises:
        UserError: For a file that cannot be loaded.
    """
    for file in files:
        _file_module(file, "a module")


def _door(kind: Kind) -> Door:
    if kind not in DOORS:
        raise UserError(f"unknown kind {kind!r}; {nearest(KINDS, str(kind))}")
    return DOORS[kind]


def _ours(door: Door) -> Mapping[str, str]:
    ours: Mapping[str, str] = _named(door.ours)
    return ours


def _named(spec: str) -> Any:
    """The attribute that one of our own "module:NAME" means."""
    module, _, name = spec.partition(":")
    return getattr(import_module(module), name)


def _offered(group: str) -> Mapping[str, tuple[EntryPoint, ...]]:
    return _entry_points(group, tuple((folder, _changed(folder)) for folder in sys.path))


def _changed(folder: str) -> int:
    """When something was last installed into a folder."""
    try:
        return os.stat(folder or os.curdir).st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=64)
def _entry_points(group: str, path: tuple[tuple[str, int], ...]) -> Mapping[str, tuple[EntryPoint, ...]]:
    """The entry points of a group by name; `path` is where packages are looked for, so that a new one is seen."""
    from importlib.metadata import entry_points

    found: dict[str, tuple[EntryPoint, ...]] = {}
    for point in entry_points(group=group):
        found[point.name] = (*found.get(point.name, ()), point)
    return found


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "an unnamed package"


def _owner(point: EntryPoint) -> str:
    return f"package {_package(point)!r}"


def _spelled(point: EntryPoint) -> str:
    return f"{point.module}:{point.attr}"


def _a(door: Door) -> str:
    return f"{'an' if door.called[0] in 'aeiou' else 'a'} {door.called}"


def _from_package(door: Door, point: EntryPoint) -> Any:
    where = f"{door.called} {point.name!r} of {_owner(point)}"
    try:
        found = point.load()
    except (Exception, SystemExit) as error:  # a stranger's module may do anything while it is imported
        raise UserError(f"{where} cannot be loaded from {point.value}: {said(error)}") from error
    return _read(door, found, point.name, where)


def _from_spec(door: Door, spec: str) -> Any:
    """What `module:Name` or `file.py:Name` holds."""
    in_file, in_module = _FILE.fullmatch(spec), _SPEC.fullmatch(spec)
    if in_file is None and in_module is None:
        raise UserError(
            f"{spec!r} is no {door.called}: with a colon it must be package.module:Name or path/file.py:Name"
        )
    if in_file is not None:
        module, path = _file_module(Path(in_file["file"]), _a(door)), in_file["name"]
    else:
        assert in_module is not None
        module, path = _module(in_module["module"], spec, door), in_module["name"]
    found: Any = module
    for part in path.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            public = [name for name in vars(module) if not name.startswith("_")]
            close = difflib.get_close_matches(part, public, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise UserError(f"{door.called} {spec!r}: {spec.rpartition(':')[0]} has no {part!r}.{hint}") from None
    return found


def _module(name: str, spec: str, door: Door) -> ModuleType:
    try:
        return import_module(name)
    except (Exception, SystemExit) as error:
        raise UserError(f"{door.called} {spec!r} cannot be loaded: {said(error)}") from error


def _file_module(file: Path, wanted: str) -> ModuleType:
    """The module of a file, under a name that no other module has; the same file is the same module."""
    if not file.is_file():
        raise UserError(f"no file {str(file)!r} to take {wanted} from; give path/file.py:Name")
    path = file.resolve()
    name = f"{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"{str(file)!r} cannot be read as a Python file")
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their own module up while it is made
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, (Exception, SystemExit)):
            raise UserError(f"{str(file)!r} cannot be loaded: {said(error)}") from error
        raise
    _FILES.append(path)
    return module


def _read(door: Door, found: Any, name: str, where: str) -> Any:
    """What the kind promises, made of what was found; a mistake says whose it is."""
    try:
        return _named(door.read)(found, name)
    except UserError as error:
        raise UserError(str(error) if where == f"{name!r}" else f"{where}: {error}") from None
