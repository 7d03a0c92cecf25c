"""Turns a conversation into tokens once, piece by piece, and never back.

A chat template is probed once with marker texts; what it puts around them becomes fixed token sequences. Rules and
observations are then encoded by themselves with special tokens switched off, so that no words of a game or of another
player can open a turn, close one, or reach the rules. The transcript grows by exactly the tokens shown and sampled.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Ids = tuple[int, ...]
_MARKS = ("@@rules@@", "@@seen@@", "@@said@@", "@@next@@")


@dataclass(frozen=True)
class ChatFormat:
    """The fixed tokens around rules, observations and replies.

    Attributes:
        before_rules: Tokens before the rules.
        after_rules: Tokens between the rules and the first observation.
        before_reply: Tokens between an observation and the reply (the generation prompt).
        end: The token that ends a reply.
        stops: All tokens that end a reply; `end` is among them.
        after_reply: Tokens between the end of a reply and the next observation.
    """

    tokenizer: PreTrainedTokenizerBase
    before_rules: Ids
    after_rules: Ids
    before_reply: Ids
    end: int
    stops: frozenset[int]
    after_reply: Ids

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase, extra_stops: tuple[int, ...] = ()) -> ChatFormat:
        """Probes the tokenizer's chat template.

        Raises:
            ValueError: The tokenizer has no chat template, or one that rewrites what it is given.
        """
        if not getattr(tokenizer, "chat_template", None):
            raise ValueError("the tokenizer has no chat template; use an instruction-tuned model or set one")
        rules, seen, said, following = _MARKS
        opening = _render(tokenizer, _turns((rules, seen)))
        whole = _render(tokenizer, _turns((rules, seen, said, following)))
        before_rules, after_rules, before_reply = _split(opening, (rules, seen))
        after_said, before_next = _split(whole, (said, following))[1:]
        if before_next != before_reply:
            raise ValueError(f"the chat template opens later replies differently: {before_next!r} and {before_reply!r}")
        closing = _special(tokenizer, after_said)
        if not closing:
            raise ValueError("the chat template puts nothing after a reply, so no token could end it; use another one")
        return cls(
            tokenizer,
            _special(tokenizer, before_rules),
            _special(tokenizer, after_rules),
            _special(tokenizer, before_reply),
            closing[0],
            frozenset((closing[0], *extra_stops)),
            closing[1:],
        )

    def words(self, text: str) -> Ids:
        """Tokens of a text in which nothing is a control token."""
        return _plain(self.tokenizer, text)

    def prefix(self, rules: str) -> Ids:
        """What every transcript of a game starts with, up to its first observation."""
        return self.before_rules + self.words(rules) + self.after_rules

    def observation(self, text: str) -> Ids:
        """An observation and the opening of the reply to it."""
        return self.words(text) + self.before_reply

    def between(self, reply: Ids) -> Ids:
        """What stands between a reply and the next observation; closes a reply that did not close itself."""
        if reply and reply[-1] == self.end:
            return self.after_reply
        if reply and reply[-1] in self.stops:
            return self.after_reply
        return (self.end, *self.after_reply)

    def reply(self, text: str) -> Ids:
        """The tokens of a finished reply."""
        return (*self.words(text), self.end)


def _turns(texts: tuple[str, ...]) -> list[dict[str, str]]:
    roles = ("system", "user", "assistant", "user")
    return [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]


def _render(tokenizer: Any, messages: list[dict[str, str]]) -> str:
    try:
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        if messages[0]["content"] in text:
            return str(text)
    except Exception as error:  # a template may raise anything to say that it has no system role
        if "system" not in str(error).lower():
            raise ValueError(f"the chat template failed: {error}") from error
    rules, seen, *rest = messages
    merged = {"role": "user", "content": f"{rules['content']}\n\n{seen['content']}"}
    try:
        return str(tokenizer.apply_chat_template([merged, *rest], tokenize=False, add_generation_prompt=True))
    except Exception as error:
        raise ValueError(f"the chat template failed: {error}") from error


def _split(text: str, marks: tuple[str, str]) -> tuple[str, str, str]:
    for mark in marks:
        if text.count(mark) != 1:
            raise ValueError("the chat template does not show each message exactly once; it rewrites history")
    head, rest = text.split(marks[0])
    middle, tail = rest.split(marks[1])
    return head, middle, tail


def _special(tokenizer: Any, text: str) -> Ids:
    return tuple(tokenizer(text, add_special_tokens=False)["input_ids"]) if text else ()


@lru_cache(maxsize=65_536)
def _plain(tokenizer: Any, text: str) -> Ids:
    return tuple(tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]) if text else ()
