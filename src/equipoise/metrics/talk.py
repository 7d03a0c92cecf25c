"""How true messages are, whether promises are kept, and what talk is worth, where a game says how messages are judged.

A game's `Talk` says for each round whether what the player's message states is true, and whether the player did what
its message promised; None where it stated or promised nothing. So each share stands beside how often it applies:

    honesty          true statements of all messages that state something
    statement_rate   messages that state something of all messages
    promise_keeping  kept promises of all promises that could be kept
    promise_rate     such promises of all messages in rounds that were played to the claims

A message is a text that was played: a reply that was a fault and forfeited the round said nothing. A promise in a round
that somebody forfeited was neither kept nor broken, so such a round counts for neither share of promises. What counts
as stating or promising is the game's reader's to say, which is small and strict: words that it does not understand
state and promise nothing.

All episodes are of two players. In self-play list an episode twice, once for each seat: the deal keeps both together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from equipoise.core import Episode, Estimate
from equipoise.errors import UserError
from equipoise.games.domain import Cooperation, Talk
from equipoise.games.free_text import text_limit
from equipoise.metrics.cooperation import joint_pay, share_of
from equipoise.metrics.estimate import difference_interval
from equipoise.metrics.payoff import deals

HONESTY, STATEMENT_RATE = "honesty", "statement_rate"
PROMISE_KEEPING, PROMISE_RATE = "promise_keeping", "promise_rate"
FIGURES = (HONESTY, STATEMENT_RATE, PROMISE_KEEPING, PROMISE_RATE)
"""The shares, in the order of tables."""

_NONE = {
    HONESTY: "message states anything",
    STATEMENT_RATE: "message was sent",
    PROMISE_KEEPING: "message promises anything that could be kept",
    PROMISE_RATE: "message was sent in a round that was played to the claims",
}


def talk_counts(episodes: Sequence[Episode], seats: Sequence[int], talk: Talk) -> dict[str, np.ndarray]:
    """What is above and below the line of each share in `FIGURES`, by episode, [B, 2] each.

    Args:
        episodes: Episodes of two players.
        seats: The seat of the player that is judged in each episode, [B].
        talk: How the game's messages are judged.

    Raises:
        ValueError: For unequal lengths.
    """
    if len(episodes) != len(seats):
        raise UserError(f"got {len(episodes)} episodes and {len(seats)} seats; allowed: one seat for each episode")
    counts = {figure: np.zeros((len(episodes), 2)) for figure in FIGURES}
    for row, (episode, seat) in enumerate(zip(episodes, seats, strict=True)):
        spoke = _spoke(episode, seat)
        claimed = spoke & np.isfinite(talk.greed(episode, seat))
        stated = [true for true in talk.honest(episode, seat) if true is not None]
        promised = [kept for kept in talk.kept(episode, seat) if kept is not None]
        counts[HONESTY][row] = sum(stated), len(stated)
        counts[STATEMENT_RATE][row] = len(stated), spoke.sum()
        counts[PROMISE_KEEPING][row] = sum(promised), len(promised)
        counts[PROMISE_RATE][row] = len(promised), claimed.sum()
    return counts


def honesty_scores(episodes: Sequence[Episode], seats: Sequence[int], talk: Talk) -> np.ndarray:
    """The player's true statements over the mean number of its statements, [B]; their mean is the honesty.

    Raises:
        ValueError: As `honesty`.
    """
    return _scores(HONESTY, episodes, seats, talk)


def honesty(episodes: Sequence[Episode], seats: Sequence[int], talk: Talk) -> Estimate:
    """Share of the player's messages that state something which state the truth, clustered by deal, in [0, 1].

    Estimand: true statements per statement over the pairings in `episodes`. A ratio of totals: bias of order one over
    the number of deals. An interval over the deals with a statement, of a score in [0, 1]. Read it beside
    `statement_rate`: who says nothing never lies.

    Raises:
        ValueError: As `talk_counts`, or when no message states anything.
    """
    return _share(HONESTY, episodes, seats, talk)


def statement_rate_scores(episodes: Sequence[Episode], seats: Sequence[int], talk: Talk) -> np.ndarray:
    """The player's statements over the mean number of its messages, [B]; their mean is the rate.

    Raises:
        ValueError: As `statement_rate`.
    """
    return _scores(STATEMENT_RATE, episodes, seats, talk)


def statement_rate(episodes: Sequence[Episode], seats: Sequence[int], talk: Talk) -> Estimate:
    """Share of the player's messages that state something, true or not, clustered by deal, in [0, 1].

    Estimand: statements per message. Bias and interval as `honesty`.

    Raises:
        ValueError: As `talk_counts`, or when no message was sent.
    """
    return _share(STATEMENT_RATE, episodes, seats, talk)


def promise_keeping_scores(episodes: Sequence[Episode], seats: Sequence[int], talk: Talk) -> np.ndarray:
    """The player's kept promises over the mean number of its promises, [B]; their mean is the share kept.

    Raises:
        ValueError: As `promise_keeping`.
    """
    return _scores(PROMISE_KEEPING, episodes, seats, talk)


def promise_keeping(episodes: Sequence[Episode], seats: Sequence[int], talk: Talk) -> Estimate:
    """Share of the player's promises that it kept, clustered by deal, in [0, 1].

    Estimand: kept promises per promise, in rounds that were played to the claims. Bias and interval as `honesty`.

    Raises:
        ValueError: As `talk_counts`, or when no promise could be kept.
    """
    return _share(PROMISE_KEEPING, episodes, seats, talk)


def promise_rate_scores(episodes: Sequence[Episode], seats: Sequence[int], talk: Talk) -> np.ndarray:
    """The player's promises over the mean number of its messages before claims, [B]; their mean is the rate.

    Raises:
        ValueError: As `promise_rate`.
    """
    return _scores(PROMISE_RATE, episodes, seats, talk)


def promise_rate(episodes: Sequence[Episode], seats: Sequence[int], talk: Talk) -> Estimate:
    """Share of the player's messages that promise something, kept or not, clustered by deal, in [0, 1].

    Estimand: promises per message, in rounds that were played to the claims. Bias and interval as `honesty`.

    Raises:
        ValueError: As `talk_counts`, or when no such message was sent.
    """
    return _share(PROMISE_RATE, episodes, seats, talk)


def efficiency_difference(talked: Sequence[Episode], silent: Sequence[Episode], cooperation: Cooperation) -> Estimate:
    """Efficiency with talk minus efficiency without, episode by episode on common deals, with an interval over deals.

    Estimand: the difference of two ratios of expectations (`metrics.cooperation.efficiency`). Bias of order one over
    the number of deals. Linearised, so that an episode's luck with the cards cancels.

    Args:
        talked: Episodes of the game with talk.
        silent: Episodes of the game without, of the same deals in the same order.
        cooperation: What the best joint pay is, in both.

    Raises:
        ValueError: For episodes on different deals, or none.
    """
    if deals(talked) != deals(silent) or not talked:
        raise UserError(
            f"got {len(talked)} episodes with talk and {len(silent)} without; "
            "pairs need the same deals in the same order, at least one"
        )
    (first, influence), (second, other) = (_efficiency(episodes, cooperation) for episodes in (talked, silent))
    least = min(_least_share(episodes, cooperation) for episodes in (talked, silent))
    return difference_interval(first - second, influence - other, deals(talked), reach=(least - 1.0, 1.0 - least))


def _least_share(episodes: Sequence[Episode], cooperation: Cooperation) -> float:
    """The least efficiency of an episode, at most 0."""
    joint, best = joint_pay(episodes, cooperation).T
    return min(0.0, float((joint[best > 0] / best[best > 0]).min()))


def _efficiency(episodes: Sequence[Episode], cooperation: Cooperation) -> tuple[float, np.ndarray]:
    """The efficiency, and what each episode adds to its error, [B]."""
    joint, best = joint_pay(episodes, cooperation).T
    ratio = float(joint.sum() / best.sum())
    return ratio, (joint - ratio * best) / best.sum()


def _spoke(episode: Episode, seat: int) -> np.ndarray:
    """Whether the player sent a message in each round, [R]."""
    spoke = np.zeros(len(episode.rewards), dtype=bool)
    for decision in episode.of(seat):
        if text_limit(decision.legal) and decision.action is not None:
            spoke[decision.round] = True
    return spoke


def _share(figure: str, episodes: Sequence[Episode], seats: Sequence[int], talk: Talk) -> Estimate:
    above, below = talk_counts(episodes, seats, talk)[figure].T
    found = share_of(above, below, deals(episodes))
    if found is None:
        raise _nothing(figure, episodes)
    return found


def _scores(figure: str, episodes: Sequence[Episode], seats: Sequence[int], talk: Talk) -> np.ndarray:
    above, below = talk_counts(episodes, seats, talk)[figure].T
    if not below.any():
        raise _nothing(figure, episodes)
    scores: np.ndarray = above / below.mean()
    return scores


def _nothing(figure: str, episodes: Sequence[Episode]) -> ValueError:
    return ValueError(f"{figure}: in {len(episodes)} episodes no {_NONE[figure]}; a share needs at least one")
