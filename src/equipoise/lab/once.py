"""Results that are computed once: a folder knows what makes its result, and a finished one is read, not made again.

    settings.json   what decides the result, written before anything is computed
    NAME.json       the result, written whole when it is there

A folder of other settings is refused, with the first setting that differs; a tournament (`crossplay_run`) keeps more
than one result in its folder, and its settings by the same functions.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equipoise.errors import UserError
from equipoise.files import read_validated, write_atomically
from equipoise.models.sources import folder_of
from equipoise.reports.schema import clean_report

SETTINGS = "settings.json"

Record = dict[str, Any]


@dataclass(frozen=True)
class Once:
    """One result in a folder.

    Attributes:
        out: The folder.
        what: The result in one word, which names its file.
        made_by: What decides it, as it goes into JSON.
        validate: Raises ValueError for a record of another shape.
    """

    out: Path
    what: str
    made_by: Mapping[str, Any]
    validate: Callable[[Record], None]

    @property
    def file(self) -> Path:
        """Where the result is."""
        return self.out / f"{self.what}.json"

    @contextmanager
    def opened(self, kept: Path) -> Iterator[None]:
        """Within it the folder is this result's; a mistake met before there is anything at `kept` leaves no folder.

        Raises:
            ValueError: For a folder of other settings or of something else, or a path that is no folder.
        """
        check_folder(self.out)
        made = self._open()
        try:
            yield
        except ValueError:
            if made and not kept.exists():
                shutil.rmtree(self.out)
            raise

    def _open(self) -> bool:
        """Makes the folder this result's, or makes sure that it is; whether it was made now."""
        settings = self.out / SETTINGS
        if settings.is_file():
            self._refuse_others(read_settings(settings))
            return False
        if self.out.exists() and any(self.out.iterdir()):
            raise UserError(f"{self.out} exists and holds no {self.what}; choose another --out")
        write_atomically(settings, json.dumps(self.made_by, indent=1) + "\n")
        return True

    def stored(self) -> Record | None:
        """The finished result, or None.

        Raises:
            ValueError: For a file of another shape or of other settings.
        """
        if not self.file.is_file():
            return None
        told = f"{{file}} is no stored {self.what} ({{error}}); delete it to compute it again"
        record = read_validated(self.file, self.file.name, self._checked, missing=told, broken=told)
        self._refuse_others(record["made_by"])
        return record

    def store(self, record: Mapping[str, Any]) -> Record:
        """Writes the result, with what made it, and returns it as it reads back."""
        written: Record = clean_report({**record, "made_by": self.made_by})
        self.validate(written)
        write_atomically(self.file, json.dumps(written, indent=1) + "\n")
        return written

    def _checked(self, record: Record) -> None:
        try:
            self.validate(record)
            if not isinstance(record.get("made_by"), dict):
                raise UserError("it does not say what made it")
        except ValueError as error:
            raise UserError(f"no stored {self.what} ({error}); delete it to compute it again") from None

    def _refuse_others(self, found: Mapping[str, Any]) -> None:
        refuse_others(found, self.made_by, f"{self.out} holds a {self.what}")


def check_folder(out: Path) -> None:
    """Nothing for a path at which a folder is or can be made.

    Raises:
        ValueError: For a file, or a path through one.
    """
    for path in (out, *out.parents):
        if path.exists() and not path.is_dir():
            raise UserError(f"--out {out}: {path} is a file; choose another folder")


def read_settings(file: Path) -> Record:
    """The settings that a folder keeps.

    Raises:
        ValueError: For a file that holds no JSON object.
    """
    told = "{file} cannot be read ({error}); choose another --out"
    return read_validated(file, file.name, _an_object, missing=told, broken=told)


def refuse_others(found: Mapping[str, Any], wanted: Mapping[str, Any], what: str) -> None:
    """Nothing where stored settings are the wanted ones.

    Args:
        found: The stored settings, as JSON.
        wanted: Those that are asked for; compared as they would be stored.
        what: The beginning of the message: what is there.

    Raises:
        ValueError: Where they differ, with the first one that does.
    """
    stored, asked = dict(_flat(found)), dict(_flat(clean_report(wanted)))
    for key in dict.fromkeys([*asked, *stored]):
        if stored.get(key) != asked.get(key):
            was, now = (json.dumps(each.get(key)) for each in (stored, asked))
            raise UserError(f"{what} of other settings ({key}: {was}, now {now}); choose another --out")


def fingerprint(model: str) -> str:
    """A digest of the weights that a model's name stands for; of a hub id, the name itself."""
    folder = folder_of(model)
    if not folder.is_dir():
        return model
    inside = folder / "model" if (folder / "model").is_dir() else folder
    digest = hashlib.sha256()
    for path in sorted(inside.glob("*.safetensors")):
        with path.open("rb") as file:
            digest.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()[:16]


def _an_object(found: Any) -> None:
    if not isinstance(found, dict):
        raise UserError("got no JSON object; choose another --out")


def _flat(settings: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Nested settings as dotted keys and values."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value
