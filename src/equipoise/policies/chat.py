"""Turns a conversation into tokens once, piece by piece, and never back.

A chat template is probed once with marker texts; what it puts around them becomes fixed token sequences. Rules and
observations are then encoded by themselves without any added token (`spelling`), so that no words of a game or of
another player can open a turn, close one, or reach the rules. The transcript grows by exactly the tokens shown and
sampled.

Some templates mark turns with plain words, as in "\\nUser: ...\\nAssistant:". No word is barred there, and what keeps a
message from passing for a turn is that others see it quoted, on one line: a mark with a line feed cannot be said. One
without ("... ASSISTANT: ...") can; such a format says so in `imitable`.

Some models think before they answer, where the template asks for it (`enable_thinking`). That is off unless it is asked
for. Templates then drop the thoughts of earlier replies; a transcript keeps every reply as it was sampled, thoughts
included, because those are the tokens that are scored and trained on.

How a model is asked for its move (`games.text.Wording`) is said by its tokenizer, under `WORDING` in its
tokenizer_config.json, and goes wherever the tokenizer goes: a model raised on terse questions stays one when it is
trained on. A tokenizer that says nothing is asked in full.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from equipoise.engines.engine import Ids
from equipoise.errors import ModelWarning, UserError
from equipoise.games.text import WORDINGS, Wording, quoted
from equipoise.policies.spelling import Spelling
from equipoise.policies.template import render

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_MARKS = ("@@rules@@", "@@seen@@", "@@said@@", "@@next@@")
_THOUGHT = "@@thought@@"
WORDING = "equipoise_wording"
"""The key of a tokenizer's settings that says how its model is asked."""


class _Thoughts(NamedTuple):
    """How a family of models writes a thought: `opening`, words, `closing`; `end` is the part that closes it."""

    opening: str
    closing: str
    end: str


_KNOWN_THOUGHTS = (
    _Thoughts("<think>\n", "\n</think>\n\n", "</think>"),
    _Thoughts("<|channel>thought\n", "\n<channel|>", "<channel|>"),
)


@dataclass(frozen=True)
class ChatFormat:
    """The fixed tokens around rules, observations and replies.

    Attributes:
        tokenizer: Whose template it is.
        spelling: How it writes words in which nothing is a control token.
        before_rules: Tokens before the rules.
        after_rules: Tokens between the rules and the first observation.
        before_reply: Tokens between an observation and the reply (the generation prompt).
        end: The token that ends a reply.
        stops: All tokens that end a reply; `end` is among them.
        after_reply: Tokens between the end of a reply and the next observation.
        wording: How the model is asked for its move.
        no_thought: Tokens that close a thought which the generation prompt opened, so that a reply without one can
            follow; empty where it opens none.
        thought_end: The text that closes a thought; "" where thinking is off.
        imitable: What stands between two turns, where a player's message can hold the very same text; else "".
    """

    tokenizer: PreTrainedTokenizerBase
    spelling: Spelling
    before_rules: Ids
    after_rules: Ids
    before_reply: Ids
    end: int
    stops: frozenset[int]
    after_reply: Ids
    wording: Wording
    no_thought: Ids = ()
    thought_end: str = ""
    imitable: str = ""

    @classmethod
    def of(
        cls, tokenizer: PreTrainedTokenizerBase, extra_stops: tuple[int, ...] = (), *, thinking: bool = False
    ) -> ChatFormat:
        """Probes the tokenizer's chat template.

        Warns once where it drops the thinking of earlier turns, which a transcript keeps.

        Args:
            tokenizer: Whose template it is.
            extra_stops: Further tokens that end a reply.
            thinking: Whether the template is to ask for thoughts before an answer.

        Raises:
            ValueError: The tokenizer has no chat template, one that rewrites what it is given, or one that cannot be
                told to think, or not to; it names no known wording; or words cannot be kept apart from its control
                tokens.
        """
        if not getattr(tokenizer, "chat_template", None):
            raise UserError("the tokenizer has no chat template; use an instruction-tuned model or set one")
        rules, seen, said, following = _MARKS
        opening = render(tokenizer, _turns((rules, seen)), thinking)
        whole = render(tokenizer, _turns((rules, seen, said, following)), thinking)
        before_rules, after_rules, before_reply = _split(opening, (rules, seen))
        after_said, before_next = _split(whole, (said, following))[1:]
        if before_next != before_reply:
            raise UserError(f"the chat template opens later replies differently: {before_next!r} and {before_reply!r}")
        closing = _special(tokenizer, after_said)
        if not closing:
            raise UserError("the chat template puts nothing after a reply, so no token could end it; use another one")
        opened = _opens_thought(before_reply)
        if opened and not thinking:
            raise UserError(
                "the chat template opens a thought unasked; set sampling.thinking = true or use another one"
            )
        thoughts = _thoughts(tokenizer, opening, opened) if thinking else None
        if thoughts is not None:
            _require_whole_replies(tokenizer, thoughts, after_said)
        return cls(
            tokenizer,
            Spelling.of(tokenizer),
            _special(tokenizer, before_rules),
            _special(tokenizer, after_rules),
            _special(tokenizer, before_reply),
            closing[0],
            frozenset((closing[0], *extra_stops)),
            closing[1:],
            wording_of(tokenizer),
            _special(tokenizer, thoughts.closing) if thoughts is not None and opened else (),
            thoughts.end if thoughts is not None else "",
            next((mark for mark in (after_rules, before_reply, after_said) if _can_be_said(tokenizer, mark)), ""),
        )

    def words(self, text: str) -> Ids:
        """Tokens of a text in which nothing is a control token."""
        return self.spelling.ids(text)

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
        """The tokens of a finished reply without a thought."""
        return (*self.no_thought, *self.words(text), self.end)

    def read(self, ids: Ids) -> tuple[str, str]:
        """Sampled tokens in words, the token that ended them left out: a finished thought, and what follows it."""
        words = str(self.tokenizer.decode(list(ids)))
        if not self.thought_end:
            return "", words
        thought, end, said = words.rpartition(self.thought_end)
        return thought + end, said


def wording_of(tokenizer: PreTrainedTokenizerBase) -> Wording:
    """How the model of a tokenizer is asked for its move.

    Raises:
        UserError: For settings that name no known wording.
    """
    named = tokenizer.init_kwargs.get(WORDING, "full")
    found = next((wording for wording in WORDINGS if wording == named), None)
    if found is None:
        raise UserError(f"the tokenizer's settings hold {WORDING} {named!r}; known: {', '.join(WORDINGS)}")
    return found


def _turns(texts: tuple[str, ...]) -> list[dict[str, str]]:
    roles = ("system", "user", "assistant", "user")
    return [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]


def _opens_thought(before_reply: str) -> bool:
    """Whether a generation prompt leaves a thought open."""
    return any(before_reply.rfind(known.opening.strip()) > before_reply.rfind(known.end) for known in _KNOWN_THOUGHTS)


def _thoughts(tokenizer: Any, opening: str, opened: bool) -> _Thoughts:
    """How the model of a template that was told to think writes its thoughts; `opening` is that template's."""
    rules, seen, _, _ = _MARKS
    if not opened and opening == render(tokenizer, _turns((rules, seen)), thinking=False):
        raise UserError("the chat template has no switch enable_thinking; set sampling.thinking = false")
    for known in _KNOWN_THOUGHTS:
        if known.end in str(tokenizer.chat_template):
            return known
    ends = " or ".join(known.end for known in _KNOWN_THOUGHTS)
    raise UserError(f"the chat template closes thoughts otherwise than with {ends}; set sampling.thinking = false")


def _require_whole_replies(tokenizer: Any, thoughts: _Thoughts, after_said: str) -> None:
    """Refuses a template that changes more of an earlier reply than its thought; warns where it drops that.

    Our transcripts keep replies as sampled: right as long as the thought is all that the template would leave out.
    """
    rules, seen, said, following = _MARKS
    reply = f"{thoughts.opening}{_THOUGHT}{thoughts.closing}{said}"
    whole = render(tokenizer, _turns((rules, seen, reply, following)), thinking=True)
    if _split(whole, (said, following))[1] != after_said:
        raise UserError("the chat template rewrites replies that hold a thought; set sampling.thinking = false")
    if _THOUGHT not in whole:
        warnings.warn(
            "the chat template drops earlier thinking, and transcripts keep replies as sampled: after its first "
            "decision a model reads its own thoughts; where that is not wanted, set sampling.thinking = false",
            ModelWarning,
            stacklevel=3,
        )


def _split(text: str, marks: tuple[str, str]) -> tuple[str, str, str]:
    for mark in marks:
        if text.count(mark) != 1:
            raise UserError(
                "the chat template does not show each message exactly once; use one that shows every message as given"
            )
    head, rest = text.split(marks[0])
    middle, tail = rest.split(marks[1])
    return head, middle, tail


def _can_be_said(tokenizer: Any, mark: str) -> bool:
    """Whether a message can hold what stands between two turns: words alone, and nothing that a quotation escapes."""
    added = {number for number, token in tokenizer.added_tokens_decoder.items() if token.content.strip()}
    return bool(mark.strip()) and quoted(mark) == f'"{mark}"' and added.isdisjoint(_special(tokenizer, mark))


def _special(tokenizer: Any, text: str) -> Ids:
    return tuple(tokenizer(text, add_special_tokens=False)["input_ids"]) if text else ()
