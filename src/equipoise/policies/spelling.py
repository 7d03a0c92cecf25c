"""Spells a text in tokens none of which is an added one, whatever the text says.

A tokenizer knows two kinds of tokens: those of its model, learned from text, and those added by hand. The roles of a
chat, tool calls and thoughts are added tokens, and only some of them are flagged as special: to split the flagged ones
is not enough. So words are encoded by the same pipeline without any added token. Some models list an added token in
their own vocabulary too, and may spell it from its letters; such a token is written as the tokens of its parts.

Some byte-level vocabularies list no token for bytes that their texts never held: most control characters, and what
begins a character of the planes from the fourth on, where Unicode has hardly any (SmolLM2 is one). Such characters are
written as the escape that stands for what cannot be shown (`games.text.escaped`), instead of falling out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from tokenizers import Tokenizer

from equipoise.errors import UserError
from equipoise.games.text import escaped

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_PROBE = "".join(
    chr(code)
    for code in (
        *(9, 10, 13),
        *range(0x20, 0x7F),
        *range(0xA1, 0x300),  # with the next, every byte that continues a character
        *range(0x370, 0x800),
        *range(0x800, 0xD800, 0x400),
        *(0xE000, 0xF8FF),
        *(0x1F600, 0x2F800),
    )
)
"""Characters that need every byte of UTF-8 that a text needs."""

_CONTROLS = tuple(chr(code) for code in (*range(0x20), 0x7F) if chr(code) not in "\t\n\r")
_PLANES = {chr(first): chr(min(first + 0x3FFFF, 0x10FFFF)) for first in range(0x40000, 0x110000, 0x40000)}
"""The first and the last of the characters that begin with each of the rare bytes."""


@dataclass(frozen=True, eq=False)
class Spelling:
    """How a tokenizer writes texts that control nothing.

    Attributes:
        plain: The tokenizer's own pipeline without added tokens.
        parts: Added tokens that this pipeline can write, each with the tokens to write in its place.
        unwritten: Finds the rare characters that no tokens stand for; they are written as escapes.
    """

    plain: Tokenizer
    parts: dict[int, tuple[int, ...]]
    unwritten: re.Pattern[str]

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> Spelling:
        """The spelling of a tokenizer; it costs a moment, whatever the size of the vocabulary.

        Raises:
            UserError: For a tokenizer without a pipeline of the `tokenizers` package; for one that cannot write every
                text; and for one with an added token that is the only way to write its letters.
        """
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if not isinstance(backend, Tokenizer):
            raise UserError(
                f"got the tokenizer {type(tokenizer).__name__}, which is no fast one (tokenizer.json): what players "
                "say could become its control tokens; use a model with a fast tokenizer"
            )
        plain = Tokenizer(backend.model)
        plain.normalizer = backend.normalizer
        plain.pre_tokenizer = backend.pre_tokenizer
        plain.decoder = backend.decoder
        added = backend.get_added_tokens_decoder()
        # a line feed or a tab that is listed again, unflagged, is a letter like others and has no other spelling
        letters = {i for i, token in added.items() if len(token.content) == 1 and token.content.isspace()}
        barred = frozenset(i for i, token in added.items() if token.special or i not in letters)
        known = {i: value for i in barred if (value := plain.model.id_to_token(i)) is not None}
        _require_every_text(plain, known)
        parts = {i: _parts(plain, value, barred) for i, value in known.items()}
        return cls(plain, parts, _unwritten(plain))

    def ids(self, text: str) -> tuple[int, ...]:
        """Tokens of a text, none of them an added one (but for a blank that has no other spelling)."""
        return _ids(self, text)


@lru_cache(maxsize=65_536)
def _ids(spelling: Spelling, text: str) -> tuple[int, ...]:
    written = spelling.unwritten.sub(lambda match: escaped(match.group()), text)
    found = spelling.plain.encode(written, add_special_tokens=False).ids
    if spelling.parts.keys().isdisjoint(found):
        return tuple(found)
    return tuple(part for token in found for part in spelling.parts.get(token, (token,)))


def _parts(plain: Tokenizer, value: str, barred: frozenset[int]) -> tuple[int, ...]:
    """The tokens of a vocabulary entry's parts, cut until none of them is barred."""
    if len(value) == 1:
        found = [plain.model.token_to_id(f"<0x{byte:02X}>") for byte in value.encode()]
        parts = [token for token in found if token is not None and token not in barred]
        whole = len(parts) == len(found)
    else:
        parts, whole = [], True
        for token in (*plain.model.tokenize(value[:1]), *plain.model.tokenize(value[1:])):
            whole &= token.id not in barred or len(token.value) < len(value)
            parts += _parts(plain, token.value, barred) if whole and token.id in barred else (token.id,)
    if not whole:
        raise UserError(
            f"the tokenizer has an added token {value!r} and no other tokens for these letters, so what players say "
            "could not be kept apart from it; use another tokenizer"
        )
    return tuple(parts)


def _unwritten(plain: Tokenizer) -> re.Pattern[str]:
    """Finds the control characters, and those of the last planes, that the pipeline drops or writes as the unknown."""
    _, _, lost = _written(plain, "".join([*_CONTROLS, *_PLANES]))
    controls = "".join(re.escape(control) for control in _CONTROLS if control in lost)
    planes = "".join(f"{first}-{last}" for first, last in _PLANES.items() if first in lost)
    return re.compile(f"[{controls}{planes}]" if controls or planes else r"(?!)")


def _require_every_text(plain: Tokenizer, known: dict[int, str]) -> None:
    """Refuses a tokenizer that leaves characters out, or writes them as its token for the unknown."""
    normal, ids, lost = _written(plain, _PROBE)
    lost -= {" ", "\u2581"}
    if lost or any(known[i] not in normal for i in known.keys() & ids):
        example = ascii(min(lost)) if lost else "rare characters"
        raise UserError(
            f"the tokenizer cannot write every text: it has no token for {example}; use one that falls back to bytes"
        )


def _written(plain: Tokenizer, text: str) -> tuple[str, set[int], set[str]]:
    """A text as the pipeline normalises it, the tokens it writes of it, and the characters that are not in them."""
    normal = text if plain.normalizer is None else plain.normalizer.normalize_str(text)
    ids = plain.encode(text, add_special_tokens=False).ids
    return normal, set(ids), set(normal) - set(plain.decode(ids, skip_special_tokens=False))
