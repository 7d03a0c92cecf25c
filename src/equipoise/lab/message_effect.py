"""What a message changes in the listener's claim: the same decision, with the one message that it just heard replaced.

Every claim of recorded play is asked again, once as it was and once for each replacement of the last message that the
listener had heard that round; all else that it had seen stays, its own message of the round included. The claims are
compared in expectation, from the listener's own probabilities, so no dice blur the pair: replacing a message by itself
changes exactly nothing. What the speaker would have done after another message is no part of it.

A language model is scored on the words of its claims after the transcript that its information state gives
(`LanguageModelPolicy.action_probabilities`), renormalised over legal claims; `outside` says how much was left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from equipoise.core import Action, Decision, Episode, Estimate, Event, Game, InformationState
from equipoise.errors import UserError
from equipoise.games.domain import Domain, Talk
from equipoise.games.free_text import is_legal, text_limit
from equipoise.lab.results import EffectRecord
from equipoise.metrics.estimate import clustered_mean, paired_difference
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.policies.policy import Policy
from equipoise.policies.scripted import ScriptedPolicy, TabularPolicy
from equipoise.seeds import Seed, Use

CLAIMS = 256
"""How many claims are asked again unless the caller says otherwise."""

Side = Literal["upper", "lower"]
"""Where a round leaves the listener: nothing to concede (the upper hand), or something (the lower one)."""

Question = tuple[int, InformationState, tuple[Action, ...]]
"""(seat, information state, legal actions) of one decision."""


@dataclass(frozen=True, slots=True)
class HeardClaim:
    """A claim of recorded play, and the message that the player had last heard before it.

    Attributes:
        deal: The deal of its episode: the cluster of every interval.
        decision: The claim.
        place: Where the message stands among the events of the decision's information state.
        side: On which side the round left the player; None where a player forfeited the round.
    """

    deal: int
    decision: Decision
    place: int
    side: Side | None

    def replaced(self, message: str) -> InformationState:
        """The information state with another message in the place of the one that was heard."""
        seen = self.decision.information_state
        return (*seen[: self.place], seen[self.place]._replace(value=message), *seen[self.place + 1 :])


def heard_claims(
    episodes: Sequence[Episode], seats: Sequence[int], domain: Domain, most: int = CLAIMS, seed: int = 0
) -> list[HeardClaim]:
    """The listener's claims after a message of the same round, at most `most` of them, drawn evenly, in their order.

    Args:
        episodes: Episodes of two players of a game with talk.
        seats: The seat of the listener in each episode, [B].
        domain: What the game's messages and concessions are.
        most: How many claims are kept.
        seed: Keys the draw.

    Raises:
        ValueError: For unequal lengths, a game without talk or cooperation, or `most` below 1.
    """
    if len(episodes) != len(seats):
        raise UserError(f"got {len(episodes)} episodes and {len(seats)} seats; allowed: one seat for each episode")
    if domain.talk is None or domain.cooperation is None:
        raise UserError("got a game that does not say how its messages are judged; give one whose domain has talk")
    if most < 1:
        raise UserError(f"got most={most}; ask for at least 1 claim")
    found = []
    for episode, seat in zip(episodes, seats, strict=True):
        sides = _sides(episode, seat, domain)
        for decision in episode.of(seat):
            place = None if text_limit(decision.legal) else _last_heard(episode, decision)
            if place is not None:
                found.append(HeardClaim(episode.deal, decision, place, sides[decision.round]))
    if len(found) <= most:
        return found
    kept = Seed(seed).at(Use.CLAIMS).generator().choice(len(found), most, replace=False)
    return [found[index] for index in sorted(kept.tolist())]


def message_effect_scores(
    game: Game, listener: Policy, claims: Sequence[HeardClaim], talk: Talk
) -> tuple[np.ndarray, dict[str, np.ndarray], float]:
    """The claimed share after the message as heard [B], its change by replacement [B] each, and the mass left out.

    Args:
        game: Whose words the listener reads.
        listener: A script, a table, or a language model that replies without reasons.
        claims: The claims that are asked again.
        talk: The game's replacements.

    Raises:
        ValueError: For no claims, a listener that cannot tell its probabilities, a replacement that the game does not
            allow, or claims that are no numbers.
    """
    if not claims:
        raise UserError("got no claim after a message; give episodes in which the listener hears one before it claims")
    asked = [(c.decision.seat, c.decision.information_state, c.decision.legal) for c in claims]
    for name, message in talk.replacements.items():
        for claim in claims:
            text = message(claim.decision.information_state)
            if not is_legal(text, game.actions):
                raise UserError(f"replacement {name!r} gives {text[:40]!r}, which is no message of this {game.name}")
            asked.append((claim.decision.seat, claim.replaced(text), claim.decision.legal))
    odds = _odds(game, listener, asked)
    shares = np.array([_share(each, legal) for each, (_, _, legal) in zip(odds, asked, strict=True)])
    outside = float(np.mean([max(0.0, 1.0 - sum(each.values())) for each in odds]))
    heard, *others = shares.reshape(-1, len(claims))
    return heard, {name: row - heard for name, row in zip(talk.replacements, others, strict=True)}, outside


def message_effect(game: Game, listener: Policy, claims: Sequence[HeardClaim], talk: Talk) -> EffectRecord:
    """How the listener's expected claims change with the message, by replacement and side, clustered by deal.

    Estimand: the mean over claims of recorded play of E[claim | replaced] - E[claim | as heard], as a share of what
    could be claimed: an effect on this listener, in the states that this play reached. Unbiased, and exact for each
    claim; only the states are a sample. An interval over deals, of changes in [-1, 1].

    Args:
        game: Whose words the listener reads.
        listener: A script, a table, or a language model that replies without reasons.
        claims: The claims that are asked again.
        talk: The game's replacements.

    Raises:
        ValueError: As `message_effect_scores`.
    """
    heard, changes, outside = message_effect_scores(game, listener, claims, talk)
    deals = [claim.deal for claim in claims]
    by_side: dict[str, dict[str, Estimate]] = {}
    sides: tuple[Side, ...] = get_args(Side)
    for side in sides:
        kept = [index for index, claim in enumerate(claims) if claim.side == side]
        if kept:
            on_side = [deals[index] for index in kept]
            by_side[side] = {name: _mean(change[kept], on_side) for name, change in changes.items()}
    return EffectRecord(
        claims=len(claims),
        claimed=clustered_mean(heard, deals, method="t over deals", bounds=(0.0, 1.0)),
        changes={name: _mean(change, deals) for name, change in changes.items()},
        by_side=by_side,
        outside=outside,
    )


def _mean(changes: np.ndarray, deals: Sequence[int]) -> Estimate:
    """The mean change of a claim, each change being paired: the same hand, another message."""
    return paired_difference(changes, np.zeros(len(changes)), deals, bounds=(0.0, 1.0))


def _sides(episode: Episode, seat: int, domain: Domain) -> list[Side | None]:
    """On which side each round left the player, [R]."""
    assert domain.talk is not None
    assert domain.cooperation is not None
    claimed = np.isfinite(domain.talk.greed(episode, seat))
    asked = domain.cooperation.cooperated(episode, seat)
    return [
        None if not whole else "upper" if answer is None else "lower"
        for whole, answer in zip(claimed, asked, strict=True)
    ]


def _last_heard(episode: Episode, decision: Decision) -> int | None:
    """Where the last message that the player heard in the decision's round stands in what it has seen, if it did."""
    spoken = {
        Event("act", other.seat, other.action)
        for other in episode.decisions
        if other.round == decision.round and other.seat != decision.seat and text_limit(other.legal)
    }
    seen = decision.information_state
    start = max((i for i, event in enumerate(seen) if event.kind == "round"), default=0)
    return next((i for i in range(len(seen) - 1, start, -1) if seen[i] in spoken), None)


def _odds(game: Game, listener: Policy, asked: Sequence[Question]) -> Sequence[Mapping[Action, float]]:
    """Probability of each legal claim at each decision; of a language model, of its words."""
    if isinstance(listener, ScriptedPolicy | TabularPolicy):
        return [listener.behaviour(state, legal) for _, state, legal in asked]
    if isinstance(listener, LanguageModelPolicy):
        return listener.action_probabilities(game, asked)
    raise UserError(
        f"{listener.name!r} ({type(listener).__name__}) cannot tell how likely its claims are; "
        "give a script, a table or a language model"
    )


def _share(odds: Mapping[Action, float], legal: tuple[Action, ...]) -> float:
    """The expected claim as a share of the largest, under odds renormalised over the legal claims."""
    sizes = {action: action for action in legal if isinstance(action, int)}
    if len(sizes) < len(legal):
        raise UserError(f"got claims {legal[:3]} ...; a message's effect is measured on claims that are whole numbers")
    total = sum(odds.get(action, 0.0) for action in legal)
    if total <= 0.0:  # nothing legal is ever said: any claim is as likely as another, as where faults are `constrained`
        return float(np.mean(list(sizes.values()))) / max(sizes.values())
    return sum(odds.get(action, 0.0) * size for action, size in sizes.items()) / total / max(sizes.values())
