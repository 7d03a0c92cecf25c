"""What an agent can be made to lose, what a selfish world leaves it, and what harm costs: exact, in any game.

The lead of the strongest opponent (`worst_case_advantage`) counts spite: an opponent that gives up everything to make
the agent earn less than itself. Three figures take it apart. Each asks what the best opponent of the fixed agent gets,
and they differ in what the opponent wants:

    security level      the agent's return as low as possible         -own
    commitment value    its own return as high as possible            theirs, then +own or -own where it does not care
    harm at mu          the lead, at a price of mu per unit it gives up   (1 + mu) * theirs - own, less mu * its best

The agent is one table per seat, or a script that says what it remembers (`opposition`); both roads share these lines.
Values are per episode in the game's unit; `general_sum_figures` divides by rounds.

With more than two players the opponent is one coalition that shares what it sees and is paid the mean of its members'
returns. It can do whatever they could each do alone. So the security level is at most what others who do not share can
hold the agent to, and the harm at mu = 0 at least the lead that they can take. The other figures are about that
coalition and bound nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np

from equipoise.core import CHANCE, Action, Game, State
from equipoise.errors import UserError
from equipoise.games.free_text import text_limit
from equipoise.metrics.exact import expected_returns, regret
from equipoise.metrics.maximin import maximin_value, secured
from equipoise.metrics.opposition import Agent, Gain, Opposition, TableOpposition, opposition
from equipoise.metrics.tree import MAX_NODES, GameTree, compiled
from equipoise.policies.scripted import PolicyTable

HARM_PRICES = (1.0, 2.0, 4.0, math.inf)
"""The prices of harm that an audit reports; at price 0 the figure is the worst-case advantage."""

_SELFISH, _KIND, _HOSTILE = Gain(1.0, 0.0), Gain(0.0, 1.0), Gain(0.0, -1.0)


class CommitmentValue(NamedTuple):
    """What an agent expects against an opponent that best-responds for itself, per episode.

    Attributes:
        strong: Where the opponent is indifferent, it does what is best for the agent.
        weak: Where it is indifferent, it does what is worst.
    """

    strong: float
    weak: float


def security_level(game: Game | GameTree, agent: Agent, seat: int) -> float:
    """The minimum over all opponents of E[own]: what the agent can be held to.

    With more than two players a lower bound of what others can hold it to who do not share what they see.

    Raises:
        ValueError: As `opposition`.
    """
    return _security_level(opposition(game, agent, seat))


def security_gap(game: Game | GameTree, agent: Agent, seat: int) -> float:
    """`maximin_value` less `security_level`: what the agent can be made to lose of what it could secure; at least zero.

    Below epsilon the agent is epsilon-safe. The mean over both seats of a two-player zero-sum game is its
    exploitability. With more than two players both are against one coalition.

    Raises:
        ValueError: As `opposition`, or as `maximin_value` (a script too: its game's tree must fit).

    Reference: Ganzfried and Sandholm 2015, Safe opponent exploitation, ACM Transactions on Economics and Computation 3
    (definition of an epsilon-safe strategy).
    """
    return _gap(maximin_value(game, seat), security_level(game, agent, seat))


def commitment_value(game: Game | GameTree, agent: Agent, seat: int) -> CommitmentValue:
    """E[own] against an opponent that knows the agent and best-responds for itself, ties for and against the agent.

    It is the leader's payoff of a Stackelberg game for this one commitment. Ties are those of whole continuations:
    among all best responses the one that is best, or worst, for the agent.

    Raises:
        ValueError: As `opposition`.

    Reference: von Stengel and Zamir 2010, Leadership games with convex strategy sets, Games and Economic Behavior 69.
    """
    return _commitment_value(opposition(game, agent, seat))


def harm_curve(game: Game | GameTree, agent: Agent, seat: int, mus: Sequence[float] = HARM_PRICES) -> np.ndarray:
    """The most h(mu) that any opponent leads by when every unit it gives up costs it mu, [K] for the K prices.

    h(mu) = max over opponents of E[theirs - own] - mu * (the best E[theirs] there is - E[theirs]). At mu = 0 it is
    `worst_case_advantage` and counts spite; at infinity it is theft: the largest lead among the opponent's best
    responses. Convex and never rising in mu.

    Args:
        game: The game, or its tree.
        agent: A table per seat, or a script.
        seat: Where the agent sits.
        mus: Prices, 0 or more; infinity is allowed.

    Raises:
        ValueError: As `opposition`, or for a price below 0.
    """
    if not all(mu >= 0 for mu in mus):
        raise UserError(f"got the prices {list(mus)}; allowed: 0 or more, infinity included")
    return _harm_curve(opposition(game, agent, seat), mus)


def own_regret(game: Game | GameTree, tables: Sequence[PolicyTable], seat: int) -> float:
    """What the player in `seat` would gain by its best response to the other tables: best E[own] - E[own].

    Give the others' tables for regret against them, or the agent's own in every seat for self-play.

    Raises:
        ValueError: As `expected_returns`, or for a seat the game does not have.
    """
    gains = regret(game, tables)
    if not 0 <= seat < len(gains):
        raise UserError(f"got seat {seat}; allowed: 0 to {len(gains) - 1}")
    return float(gains[seat])


def deviator_gain(game: Game | GameTree, tables: Sequence[PolicyTable]) -> float:
    """The most that any single player gains by leaving these tables while all others keep to them; `regret` by seat.

    With the agent's own table in every seat it says whether self-play is stable: zero at a Nash equilibrium.

    Raises:
        ValueError: As `expected_returns`.
    """
    return float(regret(game, tables).max())


def best_joint_return(game: Game) -> float:
    """The largest expected sum of all returns that one planner reaches who moves for all and sees every state.

    It sees what chance has done so far, not what it will do: an upper bound of what players reach who see less, and
    attained where nothing is hidden.

    Raises:
        ValueError: For a game with talk, or with more than `tree.MAX_NODES` states that matter.
    """
    if text_limit(game.actions):
        raise UserError(f"players of {game.name} talk, and texts cannot be listed; a best outcome needs a game without")
    known: dict[Hashable, float] = {}
    tries = 0

    def most(state: State) -> float:
        nonlocal tries
        if state.is_terminal:
            return 0.0
        # Equal payoff states for every seat have equal futures for every seat, so for their sum.
        key = state.players_to_move, tuple(game.payoff_state(state, seat) for seat in range(game.num_players))
        if key not in known:
            values = []
            for moves, chance in _joint_moves(state):
                tries += 1
                if tries > MAX_NODES:
                    raise UserError(
                        f"the best outcome of {game.name} tries more than {MAX_NODES} moves; give a shorter game"
                    )
                child = state.child(moves)
                values.append(chance * (sum(child.rewards) + most(child)))
            known[key] = sum(values) if state.is_chance else max(values)
        return known[key]

    return most(game.initial_state())


def general_sum_figures(game: Game | GameTree, tables: Sequence[PolicyTable]) -> dict[str, float]:
    """The exact figures of an agent that may hold any seat, per round, averaged over seats.

    `maximin_value`, `security_level`, `security_gap`, `commitment_value` (ties for the agent), `commitment_value_weak`
    (ties against it), `harm_1`, `harm_2`, `harm_4` and `theft` (the curve at HARM_PRICES), `self_play_regret` (mean
    over seats), `deviator_gain` (maximum over seats), and outside zero-sum games `self_play_efficiency`: the share of
    `best_joint_return` that self-play reaches, left out where that is not above zero.

    Args:
        game: The game, or its tree.
        tables: The agent's table in each seat, [N].

    Raises:
        ValueError: As `expected_returns` and `maximin_value`.
    """
    tree = compiled(game)
    gains = regret(tree, tables)  # [N]; checks the tables
    seats = [_seat_figures(TableOpposition(tree, table, seat)) for seat, table in enumerate(tables)]
    figures = {name: float(np.mean([seat[name] for seat in seats])) for name in seats[0]}
    figures |= {"self_play_regret": float(gains.mean()), "deviator_gain": float(gains.max())}
    per_round = {name: value / tree.game.num_rounds for name, value in figures.items()}
    best = 0.0 if tree.game.zero_sum else best_joint_return(tree.game)
    share = {"self_play_efficiency": float(expected_returns(tree, tables).sum()) / best} if best > 0 else {}
    return per_round | share


def harm_name(mu: float) -> str:
    """The name of the harm at a price among the figures."""
    return "theft" if math.isinf(mu) else f"harm_{mu:g}"


def _seat_figures(faced: TableOpposition) -> dict[str, float]:
    maximin, level = secured(faced.tree, faced.seat, faced.other).value, _security_level(faced)
    strong, weak = _commitment_value(faced)
    figures = {
        "maximin_value": maximin,
        "security_level": level,
        "security_gap": _gap(maximin, level),
        "commitment_value": strong,
        "commitment_value_weak": weak,
    }
    harm = _harm_curve(faced, HARM_PRICES)
    return figures | {harm_name(mu): float(value) for mu, value in zip(HARM_PRICES, harm, strict=True)}


def _security_level(faced: Opposition) -> float:
    return -faced.best(_HOSTILE)[0]


def _gap(maximin: float, level: float) -> float:
    """The gap; the agent is one of the policies that the maximin is over, so below zero is the solver's tolerance."""
    return max(0.0, maximin - level)


def _commitment_value(faced: Opposition) -> CommitmentValue:
    return CommitmentValue(faced.best(_SELFISH, _KIND)[1], -faced.best(_SELFISH, _HOSTILE)[1])


def _harm_curve(faced: Opposition, mus: Sequence[float]) -> np.ndarray:
    best, hurt = faced.best(_SELFISH, _HOSTILE)
    # The limit is reached at a finite price: there are finitely many pure opponents, and those that give anything up
    # fall behind for good. What is left are the best responses, of which the agent's worst leads most.
    harm = [best + hurt if math.isinf(mu) else faced.best(Gain(1.0 + mu, -1.0))[0] - mu * best for mu in mus]
    return np.array(harm)


def _joint_moves(state: State) -> list[tuple[dict[int, Action], float]]:
    """What may happen next: everybody's moves with weight one, or chance's with their probabilities."""
    if state.is_chance:
        return [({CHANCE: outcome}, probability) for outcome, probability in state.chance_outcomes()]
    movers = state.players_to_move
    options = product(*(state.legal_actions(seat) for seat in movers))
    return [(dict(zip(movers, joint, strict=True)), 1.0) for joint in options]
