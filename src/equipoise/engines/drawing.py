"""Draws replies from a decoder's logits, on the device: drawn tokens and their log-probabilities alone reach the host.

Draws of one prompt go together as long as they are equal: a path is the beginning of a reply and everyone who drew it,
so that in small games thousands of replies are a dozen sequences. A draw's random numbers are its own, whatever is
drawn beside it and in however many parts the work is done.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch

from equipoise.engines.decoder import Decoder
from equipoise.engines.engine import Context, Decoding, Ids, Sample
from equipoise.engines.next_token import next_token
from equipoise.seeds import uniforms

PART = 1 << 24
"""Most probabilities that are held at a time: 64 MiB."""
BLOCK, SMALL = 512, 8_192
"""Probabilities that are summed up before a draw looks for its block, and in it for its token; a vocabulary that is not
large enough to gain by it."""


def draw(
    logits: torch.Tensor, rows: np.ndarray, uniforms: np.ndarray, temperature: float
) -> tuple[np.ndarray, np.ndarray]:
    """A token for each draw, and its log-probability, [M] both.

    Args:
        logits: [U, V].
        rows: The row that each draw is from, ascending, [M].
        uniforms: A number in [0, 1) for each: the place in the row's cumulative distribution, [M].
        temperature: Divides the logits; 0 is greedy.
    """
    tokens, log_probs = np.empty(len(rows), dtype=np.int64), np.empty(len(rows))
    step = max(1, PART // logits.shape[1])
    for start in range(0, len(logits), step):
        part = slice(*np.searchsorted(rows, [start, start + step]))
        row = torch.from_numpy(rows[part] - start).to(logits.device)
        place = torch.from_numpy(uniforms[part]).to(logits.device)
        scores = next_token(temperature).log_probs(logits[start : start + step])
        found = _at(scores, row, place)
        both = torch.stack([found.double(), scores[row, found].double()]).cpu().numpy()
        tokens[part], log_probs[part] = both
    return tokens, log_probs


def _at(log_probs: torch.Tensor, row: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
    """The token at each place of a row's cumulative distribution, [M]; log-probabilities [U, V]."""
    count, width = log_probs.shape
    if width <= SMALL:
        cumulative = log_probs.exp().cumsum(1, dtype=torch.float64)
        cumulative /= cumulative[:, -1:].clone()
        cumulative += torch.arange(count, device=row.device)[:, None]
        found = torch.searchsorted(cumulative.flatten(), place + row, right=True) - row * width
        return found.clamp_(max=width - 1)
    filled = log_probs.new_empty(count, -(-width // BLOCK) * BLOCK)
    torch.exp(log_probs, out=filled[:, :width])
    filled[:, width:] = 0.0
    probabilities = filled.view(count, -1, BLOCK)
    ends = probabilities.sum(2).double().cumsum(1)  # [U, blocks]
    place = place * ends[row, -1]
    block = torch.searchsorted(ends[row], place[:, None], right=True)[:, 0].clamp_(max=ends.shape[1] - 1)
    before = torch.where(block > 0, ends[row, block - 1], 0.0)
    inside = probabilities[row, block].double()  # [M, BLOCK]
    token = (inside.cumsum(1) <= (place - before)[:, None]).sum(1)
    last = BLOCK - 1 - inside.flip(1).gt(0).int().argmax(1)  # what rounding leaves over is the last possible token's
    return block * BLOCK + torch.minimum(token, last)


@dataclass(eq=False, slots=True)
class _Path:
    """One distinct reply in the making: to which prompt, what is read next, what was drawn, and who drew it."""

    prompt: int
    context: Context
    members: np.ndarray
    tokens: Ids = ()
    log_probs: tuple[float, ...] = ()


class Drawing:
    """The replies of one call, in the making."""

    def __init__(
        self, decoder: Decoder, prompts: Sequence[Context], keys: Sequence[np.ndarray], decoding: Decoding
    ) -> None:
        """Args: decoder: Runs the model. prompts, keys, decoding: As `Engine.sample` takes them."""
        self._decoder, self._prompts, self._decoding = decoder, prompts, decoding
        self._keys = np.concatenate([np.zeros(0, dtype=np.uint64), *keys])
        self._ends = np.cumsum([len(each) for each in keys]).tolist()

    def samples(self, likely: Sequence[tuple[Ids, ...]] = ()) -> list[list[Sample]]:
        """All replies, prompt by prompt; equal replies to one prompt are one object."""
        done: list[Sample | None] = [None] * len(self._keys)
        starts = [0, *self._ends]
        waiting = deque(
            _Path(number, prompt, np.arange(starts[number], starts[number + 1]))
            for number, prompt in enumerate(self._prompts)
        )
        while waiting:
            paths = [waiting.popleft() for _ in range(min(self._decoder.most, len(waiting)))]
            ahead = [likely[path.prompt] if likely and not path.tokens else () for path in paths]
            logits = self._decoder.feed([path.context for path in paths], ahead)
            while paths:
                going = self._going(self._grown(paths, logits), done)
                for row, path in islice(going, self._decoder.most, None):  # more than it takes: they go on later
                    self._decoder.remember(path.context, row)
                    waiting.append(path)
                going = going[: self._decoder.most]
                paths = [path for _, path in going]
                if paths:
                    parents, tokens = (np.array(a) for a in zip(*((r, p.tokens[-1]) for r, p in going), strict=True))
                    logits = self._decoder.branch(parents, tokens)
        whole = [sample for sample in done if sample is not None]
        return [whole[start:end] for start, end in zip(starts, self._ends, strict=False)]

    def _grown(self, paths: Sequence[_Path], logits: torch.Tensor) -> list[tuple[int, _Path]]:
        """Draws the next token of every member; a path becomes one path per distinct token, beside its parent's row."""
        rows = np.repeat(np.arange(len(paths)), [len(path.members) for path in paths])
        members = np.concatenate([path.members for path in paths])
        positions = np.repeat([len(path.tokens) for path in paths], [len(path.members) for path in paths])
        places = uniforms(self._keys[members], positions)
        tokens, log_probs = draw(logits, rows, places, self._decoding.temperature)
        codes = rows * logits.shape[1] + tokens
        order = np.argsort(codes, kind="stable")
        grown = []
        for same in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
            path, token, score = paths[rows[same[0]]], int(tokens[same[0]]), float(log_probs[same[0]])
            drawn, scores = (*path.tokens, token), (*path.log_probs, score)
            context = self._prompts[path.prompt].then(drawn)
            grown.append((int(rows[same[0]]), _Path(path.prompt, context, members[same], drawn, scores)))
        return grown

    def _going(self, grown: Sequence[tuple[int, _Path]], done: list[Sample | None]) -> list[tuple[int, _Path]]:
        """Those that have not ended; a sample is made of the others."""
        going = []
        for row, path in grown:
            stopped = path.tokens[-1] in self._decoding.stops
            if not stopped and len(path.tokens) < self._decoding.max_new_tokens:
                going.append((row, path))
                continue
            self._decoder.remember(path.context, row)
            sample = Sample(path.tokens, path.log_probs, stopped, path.context)
            for member in path.members.tolist():
                done[member] = sample
        return going
