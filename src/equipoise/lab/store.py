"""A store: a folder of results, each of which is computed once.

    settings.json   what decides every result, written before anything is computed
    KEY.json        a result, written whole, with what made it
    KEY.claim       who computes it now (`claims`)

A key may name folders: "auction/own_pool-3". A store of other settings, or a result that something else made, is
refused with the first setting that differs. Stopping at any moment loses what is being computed and nothing else;
`workers.run` divides many results among processes.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from equipoise.errors import UserError
from equipoise.files import TEMPORARY, as_json, sweep, write_atomically
from equipoise.lab.claims import alone, claimed, owner_of
from equipoise.lab.results import RESULT, Result, Value, parse_result, parse_value, result_json

SETTINGS = "settings.json"
RESULT_KEY = RESULT.removesuffix(".json")
"""The key of a store's one result, where it has one."""

Record = dict[str, Any]
T = TypeVar("T")
R = TypeVar("R", bound=Result)
V = TypeVar("V", bound=Value)


class Codec(Protocol[T]):
    """How a store's results become text, each with what decides it."""

    def dump(self, result: T, made_by: Mapping[str, Any]) -> str:
        """The text of a result that `made_by` decided."""

    def load(self, text: str) -> T:
        """The result of a text.

        Raises:
            ValueError: For a text that is none.
        """

    def made_by(self, text: str) -> Mapping[str, Any] | None:
        """What decided the result of a text that can be loaded; None where it does not say so."""


def _anything(record: Record) -> None:
    pass


@dataclass(frozen=True)
class JsonRecord:
    """Results that are plain mappings.

    Attributes:
        validate: Raises ValueError for a record of another shape.
    """

    validate: Callable[[Record], None] = _anything

    def dump(self, result: Record, made_by: Mapping[str, Any]) -> str:
        """See `Codec`."""
        own = {"made_by": as_json(made_by)} if made_by else {}
        return json.dumps({**result, **own}, indent=1) + "\n"

    def load(self, text: str) -> Record:
        """See `Codec`."""
        try:
            found = json.loads(text)
        except RecursionError:
            raise UserError("it is nested too deep") from None
        if not isinstance(found, dict):
            raise UserError("it holds no JSON object")
        self.validate(found)
        return found

    def made_by(self, text: str) -> Mapping[str, Any] | None:
        """See `Codec`."""
        found = json.loads(text).get("made_by")
        return found if isinstance(found, dict) else None


@dataclass(frozen=True)
class ResultCodec(Generic[R]):
    """Results of `lab.results`; what decides one is its `made.by`.

    Attributes:
        kind: Their type.
    """

    kind: type[R]

    def dump(self, result: R, made_by: Mapping[str, Any]) -> str:
        """See `Codec`."""
        made = result.made.model_copy(update={"by": as_json(made_by)})
        return result_json(result.model_copy(update={"made": made}))

    def load(self, text: str) -> R:
        """See `Codec`."""
        return parse_result(text, "it", self.kind)

    def made_by(self, text: str) -> Mapping[str, Any] | None:
        """See `Codec`."""
        return self.load(text).made.by


@dataclass(frozen=True)
class ValueCodec(Generic[V]):
    """Typed parts of a result, which are no results of their own; what decides one stands beside its fields.

    Attributes:
        kind: Their type.
    """

    kind: type[V]

    def dump(self, result: V, made_by: Mapping[str, Any]) -> str:
        """See `Codec`."""
        return JsonRecord().dump(as_json(result.model_dump(mode="python")), made_by)

    def load(self, text: str) -> V:
        """See `Codec`."""
        record = JsonRecord().load(text)
        return parse_value({name: value for name, value in record.items() if name != "made_by"}, "it", self.kind)

    def made_by(self, text: str) -> Mapping[str, Any] | None:
        """See `Codec`."""
        return JsonRecord().made_by(text)


@dataclass(frozen=True)
class Store(Generic[T]):
    """Results by key.

    Attributes:
        folder: Where they are.
        what: What they are, in one word, for messages.
        codec: How they become text.
        settings: What decides every result; without any there is no settings.json, and any folder will do.
        made_by: What decides the result of a key; by default the settings.
    """

    folder: Path
    what: str
    codec: Codec[T]
    settings: Mapping[str, Any] = field(default_factory=dict)
    made_by: Callable[[str], Mapping[str, Any]] | None = None

    def path(self, key: str) -> Path:
        """Where a result is."""
        return self.folder / f"{key}.json"

    def has(self, key: str) -> bool:
        """Whether a result is there; it may be one to refuse."""
        return self.path(key).is_file()

    def open(self) -> bool:
        """Sweeps the folder, and makes sure that it is or becomes a store of these settings; whether it was made now.

        Raises:
            UserError: For a folder of other settings or of something else, or a path that is no folder.
        """
        check_folder(self.folder)
        sweep(self.folder)
        if not self.settings:
            return False
        self.folder.mkdir(parents=True, exist_ok=True)
        with alone(self.folder):
            file = self.folder / SETTINGS
            if file.is_file():
                refuse_others(_read_settings(file), self.settings, f"{self.folder} holds a {self.what}")
                return False
            if any(not TEMPORARY.fullmatch(path.name) for path in self.folder.iterdir()):
                problem = f"{self.folder} holds files, but no {SETTINGS} of a {self.what}"
                raise UserError(f"{problem}; choose another --out")
            write_atomically(file, json.dumps(self.settings, indent=1) + "\n")
            return True

    @contextmanager
    def opened(self, begun: Path) -> Iterator[None]:
        """Within it the store is open; a mistake met before there is anything at `begun` leaves no folder."""
        made = self.open()
        try:
            yield
        except ValueError:
            if made and not begun.exists() and not any(self.folder.rglob("*.claim")):
                shutil.rmtree(self.folder)
            raise

    def get(self, key: str) -> T | None:
        """A finished result, or None.

        Raises:
            UserError: For a file that is no result, or one that something else made.
        """
        path = self.path(key)
        if not path.is_file():
            return None
        made_by = self._made_by(key)
        try:
            text = path.read_text(encoding="utf-8")
            result = self.codec.load(text)
            found = self.codec.made_by(text) if made_by else {}
            if found is None:
                raise UserError("it does not say what made it")
        except ValueError as error:
            raise UserError(f"{path} is no stored {self.what} ({error}); delete it to compute it again") from None
        refuse_others(found, made_by, f"{key} in {self.folder} is")
        return result

    def finished(self, keys: Iterable[str]) -> list[T]:
        """The results of those keys that have one; raises as `get` does."""
        return [found for key in keys if (found := self.get(key)) is not None]

    def put(self, key: str, result: T) -> T:
        """Writes a result, with what made it, and returns it as it reads back."""
        text = self.codec.dump(result, self._made_by(key))
        written = self.codec.load(text)
        write_atomically(self.path(key), text)
        return written

    def compute(self, key: str, compute: Callable[[str], T]) -> T | None:
        """A result, computed unless it is there; None when another process holds its claim."""
        with claimed(self._claim(key)) as got:
            if not got:
                return None
            found = self.get(key)
            return self.put(key, compute(key)) if found is None else found

    def result(self, key: str, compute: Callable[[str], T]) -> T:
        """A result: read where it is finished, else computed by this process.

        Raises:
            UserError: When another process computes it, and as `get` does.
        """
        found = self.get(key)
        if found is None:
            found = self.compute(key, compute)
        if found is None:
            owner = owner_of(self._claim(key))
            who = "another process" if owner is None else f"process {owner.pid} on {owner.machine}"
            raise UserError(f"{who} computes {key} in {self.folder}; wait for it, or choose another --out")
        return found

    def _claim(self, key: str) -> Path:
        return self.folder / f"{key}.claim"

    def _made_by(self, key: str) -> Mapping[str, Any]:
        return self.settings if self.made_by is None else self.made_by(key)


def check_folder(out: Path) -> None:
    """Nothing for a path at which a folder is or can be made.

    Raises:
        UserError: For a file, or a path through one.
    """
    for path in (out, *out.parents):
        if path.exists() and not path.is_dir():
            raise UserError(f"--out {out}: {path} is a file; choose another folder")


def refuse_others(found: Mapping[str, Any], wanted: Mapping[str, Any], what: str) -> None:
    """Nothing where stored settings are the wanted ones.

    Args:
        found: The stored settings, as JSON.
        wanted: Those that are asked for; compared as they would be stored.
        what: The beginning of the message: what is there.

    Raises:
        UserError: Where they differ, with the first one that does.
    """
    stored, asked = dict(_flat(found)), dict(_flat(as_json(wanted)))
    for key in dict.fromkeys([*asked, *stored]):
        if stored.get(key) != asked.get(key):
            was, now = (json.dumps(each.get(key)) for each in (stored, asked))
            raise UserError(f"{what} of other settings ({key}: {was}, now {now}); choose another --out")


def _read_settings(file: Path) -> Record:
    try:
        return JsonRecord().load(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{file} cannot be read ({error}); choose another --out") from None


def _flat(settings: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Nested settings as dotted keys and values."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value
