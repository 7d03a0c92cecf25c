"""Episodes on disk: compressed JSON lines, one episode a line, exact tokens included.

Each list of legal actions is written once an episode: some hold a thousand. Lines are ASCII, but for texts with the two
halves of a surrogate pair as two characters: JSON's escapes would make one character of them, so such a line holds the
halves themselves, in the bytes that UTF-8 would give them.
"""

from __future__ import annotations

import gzip
import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from equipoise.core import Action, Decision, Episode, Event, Fault, Reply, Tokens
from equipoise.games.free_text import AnyText

_TWO_HALVES = re.compile("[\ud800-\udbff][\udc00-\udfff]")


def write_episodes(path: Path | str, episodes: Sequence[Episode]) -> None:
    """Writes episodes to a .jsonl.gz file, whole or not at all."""
    path = Path(path)
    partial = path.with_suffix(".partial")
    with gzip.open(partial, "wt", encoding="utf-8", errors="surrogatepass", compresslevel=4) as file:
        for episode in episodes:
            file.write(_line(_episode(episode)) + "\n")
    os.replace(partial, path)


def read_episodes(path: Path | str) -> Iterator[Episode]:
    """The episodes of a .jsonl.gz file, equal to those written."""
    with gzip.open(path, "rt", encoding="utf-8", errors="surrogatepass") as file:
        for line in file:
            yield _read_episode(json.loads(line))


def packed(episodes: Sequence[Episode]) -> bytes:
    """The same lines in memory, for another process."""
    lines = "".join(_line(_episode(episode)) + "\n" for episode in episodes)
    return lines.encode("utf-8", errors="surrogatepass")


def unpacked(lines: bytes) -> list[Episode]:
    """The episodes of `packed`, equal to those that were."""
    return [_read_episode(json.loads(line)) for line in lines.decode("utf-8", errors="surrogatepass").split("\n")[:-1]]


def _line(record: dict[str, Any]) -> str:
    line = json.dumps(record, separators=(",", ":"))
    if "\\ud" in line:
        unescaped = json.dumps(record, separators=(",", ":"), ensure_ascii=False)
        if _TWO_HALVES.search(unescaped):
            return unescaped
    return line


def _episode(episode: Episode) -> dict[str, Any]:
    numbers = {legal: i for i, legal in enumerate(dict.fromkeys(d.legal for d in episode.decisions))}
    return {
        "game": episode.game,
        "policies": episode.policies,
        "deal": episode.deal,
        "rewards": episode.rewards,
        "returns": episode.returns,
        "legal": [[_option(action) for action in legal] for legal in numbers],
        "decisions": [_decision(decision, numbers) for decision in episode.decisions],
    }


def _option(action: Action) -> Any:
    return {"any_text": action.limit} if isinstance(action, AnyText) else action


def _decision(decision: Decision, numbers: dict[tuple[Action, ...], int]) -> dict[str, Any]:
    return {
        "seat": decision.seat,
        "round": decision.round,
        "slot": decision.slot,
        "seen": decision.information_state,
        "legal": numbers[decision.legal],
        "reply": _reply(decision.reply),
        "action": decision.action,
        "fault": _fault(decision.fault),
        "attempts": [[_reply(reply), _fault(fault)] for reply, fault in decision.attempts],
    }


def _reply(reply: Reply) -> dict[str, Any]:
    tokens = reply.tokens
    return {
        "text": reply.text,
        "action": reply.action,
        "tokens": None if tokens is None else [tokens.prompt, tokens.completion, tokens.log_probs],
        "truncated": reply.truncated,
        **({"thought": reply.thought} if reply.thought else {}),
    }


def _fault(fault: Fault | None) -> list[str] | None:
    return None if fault is None else [fault.kind, fault.detail]


def _read_episode(record: dict[str, Any]) -> Episode:
    listed = [tuple(_read_option(action) for action in legal) for legal in record["legal"]]
    return Episode(
        record["game"],
        tuple(record["policies"]),
        record["deal"],
        tuple(_read_decision(d, listed) for d in record["decisions"]),
        tuple(tuple(row) for row in record["rewards"]),
        tuple(record["returns"]),
    )


def _read_option(value: Any) -> Action:
    return AnyText(value["any_text"]) if isinstance(value, dict) else _action(value)


def _read_decision(record: dict[str, Any], listed: list[tuple[Action, ...]]) -> Decision:
    return Decision(
        record["seat"],
        record["round"],
        record["slot"],
        tuple(Event(kind, player, _action(value)) for kind, player, value in record["seen"]),
        listed[record["legal"]],
        _read_reply(record["reply"]),
        _action(record["action"]),
        None if record["fault"] is None else Fault(*record["fault"]),
        tuple((_read_reply(reply), Fault(*fault)) for reply, fault in record["attempts"]),
    )


def _read_reply(record: dict[str, Any]) -> Reply:
    tokens = record["tokens"]
    exact = None if tokens is None else Tokens(tuple(tokens[0]), tuple(tokens[1]), tuple(tokens[2]))
    return Reply(record["text"], _action(record["action"]), exact, record["truncated"], record.get("thought", ""))


def _action(value: Any) -> Action:
    """JSON turns tuples into lists; actions and event values are never lists."""
    return tuple(_action(v) for v in value) if isinstance(value, list) else value
