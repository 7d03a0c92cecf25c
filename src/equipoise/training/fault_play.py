"""What a fault rule plays, as a function of the probabilities of a policy's words; and how it is differentiated.

The words of a legal action are said with some probability; whatever else is said is a fault, of which the arena knows
what is played (`arena.rollout`). So at every information state a rule turns the probabilities of words into those of
what is played: the legal actions and, where the rule may give up, a forfeit.

    rule          a legal action is played with                    a forfeit with
    forfeit       p_a                                              f
    resample      p_a * (1 + f + ... + f^(K-1))                    f^K
    random_legal  p_a + f / n                                      0
    constrained   p_a / (1 - f)                                    0

with f = 1 - sum of p_a, n legal actions, and K the attempts of the rule `resample`. If g is the slope of an objective
by what is played, a `pull` is p_a times its slope by p_a: the weight with which grad log p_a enters the gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from equipoise.arena.rollout import MAX_ATTEMPTS
from equipoise.core import FaultRule

Flat = NDArray[np.float64]
"""One number for each place: of every state its legal actions in order, then what names none."""


@dataclass(frozen=True, eq=False)
class Words:
    """How likely a policy is to say each legal action's words at some information states, flat.

    Attributes:
        owner: The state of each place, [W], from 0 to I - 1 in order; a state's last place is what names no action.
        log_probs: Log-probability of each legal action's words, [W]; 0 at the last places.
    """

    owner: NDArray[np.intp]
    log_probs: Flat

    @classmethod
    def of(cls, states: Sequence[Sequence[float]]) -> Words:
        """The words of states that are given by the log-probabilities of their legal actions."""
        owner = np.repeat(np.arange(len(states)), [len(state) + 1 for state in states])
        return cls(owner, np.concatenate([np.append(np.asarray(state, dtype=float), 0.0) for state in states]))

    @cached_property
    def legal(self) -> NDArray[np.bool_]:
        """True at the places of legal actions, [W]."""
        found: NDArray[np.bool_] = np.append(self.owner[1:] == self.owner[:-1], False)
        return found

    @cached_property
    def firsts(self) -> NDArray[np.intp]:
        """The first place of each state, [I]."""
        return np.flatnonzero(np.append(True, self.owner[1:] != self.owner[:-1]))

    @cached_property
    def probabilities(self) -> Flat:
        """Of each legal action's words, and of a fault, [W]."""
        said = np.exp(np.where(self.legal, self.log_probs, -np.inf))
        return np.where(self.legal, said, np.maximum(0.0, 1.0 - self.summed(said)))

    @cached_property
    def faults(self) -> Flat:
        """Probability of a fault in each place's state, [W]."""
        return self.at_last(self.probabilities)

    @cached_property
    def divided(self) -> Flat:
        """Of each legal action where faults are divided out, 0 at the last places, [W]; however unlikely all are."""
        largest = np.full(self.owner[-1] + 1, -np.inf)
        np.maximum.at(largest, self.owner[self.legal], self.log_probs[self.legal])
        shifted = np.where(np.isfinite(largest), largest, 0.0)[self.owner]
        said = np.exp(np.where(self.legal, self.log_probs - shifted, -np.inf))
        total = self.summed(said)
        return np.where(total > 0, said, self.legal) / np.where(total > 0, total, self.counts)

    @cached_property
    def counts(self) -> Flat:
        """Legal actions of each place's state, [W]."""
        return self.summed(self.legal.astype(float))

    def summed(self, values: Flat) -> Flat:
        """For each place the sum of values [W] over the legal actions of its state, [W]."""
        total = np.zeros(len(self.firsts))
        np.add.at(total, self.owner, np.where(self.legal, values, 0.0))
        return total[self.owner]

    def at_last(self, values: Flat) -> Flat:
        """For each place the value [W] at the last place of its state, [W]."""
        found: Flat = values[~self.legal][self.owner]
        return found


@dataclass(frozen=True)
class FaultPlay:
    """A fault rule of the arena, on probabilities.

    Attributes:
        played: Probability of each legal action's being played, and of a forfeit, [W].
        pulls: From the slope of an objective by what is played, [W], the weight of each grad log p_a, [W].
        faults: Probability of a fault on the record of a decision, [W].
        forfeits: Whether a forfeit can happen.
    """

    played: Callable[[Words], Flat]
    pulls: Callable[[Words, Flat], Flat]
    faults: Callable[[Words], Flat]
    forfeits: bool


def _forfeit_pulls(words: Words, slope: Flat) -> Flat:
    return words.probabilities * (slope - words.at_last(slope))


def _again(words: Words) -> tuple[Flat, Flat]:
    """1 + f + ... + f^(K-1) and its derivative by f."""
    powers = np.arange(MAX_ATTEMPTS)
    fault = words.faults[:, None]
    return (fault**powers).sum(axis=1), (powers[1:] * fault ** (powers[1:] - 1)).sum(axis=1)


def _resample_played(words: Words) -> Flat:
    return np.where(words.legal, words.probabilities * _again(words)[0], words.faults**MAX_ATTEMPTS)


def _resample_pulls(words: Words, slope: Flat) -> Flat:
    tries, steeper = _again(words)  # each p_a lowers f by as much
    lost = steeper * words.summed(words.probabilities * slope)
    lost += MAX_ATTEMPTS * words.faults ** (MAX_ATTEMPTS - 1) * words.at_last(slope)
    return words.probabilities * np.where(words.legal, tries * slope - lost, 0.0)


def _random_played(words: Words) -> Flat:
    return np.where(words.legal, words.probabilities + words.faults / words.counts, 0.0)


def _random_pulls(words: Words, slope: Flat) -> Flat:
    return np.where(words.legal, words.probabilities * (slope - words.summed(slope) / words.counts), 0.0)


def _constrained_pulls(words: Words, slope: Flat) -> Flat:
    return words.divided * (slope - words.summed(words.divided * slope))


FAULT_PLAYS: Mapping[FaultRule, FaultPlay] = {
    "forfeit": FaultPlay(lambda words: words.probabilities, _forfeit_pulls, lambda words: words.faults, True),
    "resample": FaultPlay(_resample_played, _resample_pulls, lambda words: words.faults**MAX_ATTEMPTS, True),
    "random_legal": FaultPlay(_random_played, _random_pulls, lambda words: words.faults, False),
    "constrained": FaultPlay(lambda words: words.divided, _constrained_pulls, lambda words: words.faults, False),
}
"""Every fault rule."""
