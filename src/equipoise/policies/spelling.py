"""Spells a text in tokens none of which is an added one, whatever the text says.

A tokenizer knows two kinds of tokens: those of its model, learned from text, and those added by hand. The roles of a
chat, tool calls and thoughts are added tokens, and only some of them are flagged as special: to split the flagged ones
is not enough. So words are encoded by the same pipeline without any added token. Some models list an added token in
their own vocabulary too, and may spell it from its letters; such a token is written as the tokens of its parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from tokenizers import Tokenizer

from equipoise.errors import UserError

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
        *(0x1F600, 0x4FFFD, 0x8FFFD, 0xCFFFD, 0x10FFFD),  # every byte that begins one of four
    )
)
"""Characters that need every byte of UTF-8, rare ones among them."""


@dataclass(frozen=True, eq=False)
class Spelling:
    """How a tokenizer writes texts that control nothing.

    Attributes:
        plain: The tokenizer's own pipeline without added tokens.
        parts: Added tokens that this pipeline can write, each with the tokens to write in its place.
    """

    plain: Tokenizer
    parts: dict[int, tuple[int, ...]]

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
        return cls(plain, {i: _parts(plain, value, barred) for i, value in known.items()})

    def ids(self, text: str) -> tuple[int, ...]:
        """Tokens of a text, none of them an added one (but for a blank that has no other spelling)."""
        return _ids(self, text)


@lru_cache(maxsize=65_536)
def _ids(spelling: Spelling, text: str) -> tuple[int, ...]:
    found = spelling.plain.encode(text, add_special_tokens=False).ids
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


def _require_every_text(plain: Tokenizer, known: dict[int, str]) -> None:
    """Refuses a tokenizer that leaves characters out, or writes them as its token for the unknown."""
    ids = plain.encode(_PROBE, add_special_tokens=False).ids
    normal = _PROBE if plain.normalizer is None else plain.normalizer.normalize_str(_PROBE)
    lost = set(normal) - set(plain.decode(ids, skip_special_tokens=False)) - {" ", "\u2581"}
    if lost or any(known[i] not in normal for i in known.keys() & set(ids)):
        example = ascii(min(lost)) if lost else "rare characters"
        raise UserError(
            f"the tokenizer cannot write every text: it has no token for {example}; use one that falls back to bytes"
        )
