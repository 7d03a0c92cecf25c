"""A table that speaks like a language model, faults included, and the value of an objective by brute force."""

import math

import numpy as np

from equipoise.arena.rollout import MAX_ATTEMPTS
from equipoise.core import CHANCE, Decision, Episode, Fault, Reply, Tokens
from equipoise.engines.engine import Capabilities
from equipoise.policies.language_model import Sampling
from equipoise.policies.policy import Policy, Session
from equipoise.training.fault_play import Words

PLACES = 16
"""More than an action and a fault at any state."""


class Logits:
    """A policy with one logit for each legal action's words and one for a fault at each state; the parameters."""

    def __init__(self, game, seed, fault=-1.0, spread=1.0):
        self.game, self.questions = game, states_of(game)
        self.numbers = {question[:2]: n for n, question in enumerate(self.questions)}
        rng = np.random.default_rng(seed)
        self.values = [spread * rng.normal(size=len(legal) + 1) for _, _, legal in self.questions]
        for each in self.values:
            each[-1] += fault

    def probabilities(self, state):
        """Of each legal action's words and of a fault at a state's number."""
        raised = np.exp(self.values[state] - self.values[state].max())
        return raised / raised.sum()

    def at(self, seat, seen):
        return self.probabilities(self.numbers[seat, seen])

    def said(self, questions):
        """The log-probabilities of legal words, as exact objectives ask for them."""
        return [np.log(self.at(seat, seen)[:-1]) for seat, seen, _ in questions]

    @property
    def flat(self):
        return np.concatenate(self.values)

    def moved(self, direction):
        """The same policy with other logits."""
        other = object.__new__(Logits)
        other.game, other.questions, other.numbers = self.game, self.questions, self.numbers
        cuts = np.cumsum([len(each) for each in self.values])[:-1]
        other.values = np.split(self.flat + direction, cuts)
        return other

    def gradient(self, pulls):
        """Of the logits, from the weight of grad log-probability of each reply at each state's number."""
        return np.concatenate(
            [each - each.sum() * self.probabilities(state) for state, each in enumerate(map(np.asarray, pulls))]
        )

    def exact_gradient(self, slope):
        """Of the logits, from an exact slope."""
        pulls = [np.zeros(len(each)) for each in self.values]
        for (seat, seen, _), first in zip(slope.questions, slope.words.firsts, strict=True):
            state = self.numbers[seat, seen]
            pulls[state] += slope.pulls[first : first + len(pulls[state])]
        return self.gradient(pulls)

    def sampled_gradient(self, experience):
        """Of the logits, from the rows of a `SpokenTable`."""
        pulls = [np.zeros(len(each)) for each in self.values]
        for row, weights in zip(experience.rows, experience.weights, strict=True):
            for token, turn, weight in zip(row.completion, row.turn, weights, strict=True):
                if turn >= 0:
                    pulls[token // PLACES][token % PLACES] += weight / experience.episodes
        return self.gradient(pulls)


def states_of(game):
    """Every (seat, state, legal actions) that any play reaches, forfeits included."""
    found, pending = {}, [game.initial_state()]
    while pending:
        state = pending.pop()
        if state.is_terminal:
            continue
        if state.is_chance:
            pending += [state.child({CHANCE: outcome}) for outcome, _ in state.chance_outcomes()]
            continue
        for seat in state.players_to_move:
            found[seat, state.information_state(seat)] = state.legal_actions(seat)
            pending.append(state.forfeit(seat))
        pending += [state.child(moves) for moves in joint_moves(state)]
    return [(seat, seen, legal) for (seat, seen), legal in found.items()]


def joint_moves(state):
    moves = [{}]
    for seat in state.players_to_move:
        moves = [{**before, seat: action} for before in moves for action in state.legal_actions(seat)]
    return moves


class SpokenTable(Policy):
    """Says legal words or none by its logits; a token tells the state and the reply."""

    name = "agent"
    sampling = Sampling()
    adapter = ""

    def __init__(self, logits):
        self.logits = logits

    def session(self, game, seed):
        return _Speech(self.logits, game, seed)

    def action_probabilities(self, game, states):
        return [dict(zip(legal, self.logits.at(seat, seen)[:-1].tolist(), strict=True)) for seat, seen, legal in states]


class _Speech(Session):
    def __init__(self, logits, game, seed):
        self.logits, self.game, self.seed, self.asked = logits, game, seed, 0

    def replies(self, requests):
        rng = self.seed.at(self.asked).generator()
        self.asked += 1
        replies = []
        for request in requests:
            state = self.logits.numbers[request.seat, request.information_state]
            p = self.logits.probabilities(state)
            drawn = int(rng.choice(len(p), p=p))
            text = self.game.action_text(request.legal[drawn]) if drawn < len(request.legal) else "nothing of the kind"
            token = state * PLACES + drawn
            replies.append(Reply(text, None, Tokens((1_000_000 + state,), (token,), (math.log(p[drawn]),))))
        return replies

    def retract(self, requests):
        pass

    def constrained(self, requests):
        drawn = []
        for request in requests:
            p = self.logits.at(request.seat, request.information_state)[:-1]
            drawn.append(request.legal[int(np.searchsorted(np.cumsum(p / p.sum()), request.stream.random()))])
        return drawn


def played(p, rule):
    """What is played, the last place being a forfeit, of probabilities of words and a fault; one attempt at a time."""
    legal, fault = p[:-1], p[-1]
    if rule == "random_legal":
        return np.append(legal + fault / len(legal), 0.0)
    if rule == "constrained":
        return np.append(legal + fault * legal / legal.sum(), 0.0)
    left, total = 1.0, np.zeros(len(legal))
    for _ in range(MAX_ATTEMPTS if rule == "resample" else 1):
        total, left = total + left * legal, left * fault
    return np.append(total, left)


def episodes_of(logits, opponent, seat, rule):
    """Every episode against a script with its probability, written without any thought of speed."""
    game, found = logits.game, []

    def go(state, probability, decisions, rewards):
        if not probability:
            return
        if state.is_terminal:
            names = tuple("agent" if s == seat else opponent.name for s in (0, 1))
            rows = tuple(map(tuple, rewards))
            found.append((Episode(game.name, names, 0, decisions, rows, state.returns), probability))
        elif state.is_chance:
            for outcome, p in state.chance_outcomes():
                go(*stepped(state, state.child({CHANCE: outcome}), probability * p, decisions, rewards))
        else:
            moves = [((), 1.0)]
            for mover in state.players_to_move:
                legal, seen = state.legal_actions(mover), state.information_state(mover)
                if mover == seat:
                    odds = zip((*legal, None), played(logits.at(mover, seen), rule), strict=True)
                else:
                    odds = opponent.behaviour(seen, legal).items()
                slot = sum(d.seat == mover and d.round == state.round for d in decisions)
                options = [
                    (
                        Decision(
                            mover,
                            state.round,
                            slot,
                            seen,
                            legal,
                            Reply(),
                            a,
                            Fault("illegal", "") if a is None else None,
                        ),
                        p,
                    )
                    for a, p in odds
                ]
                moves = [((*made, one), p * q) for made, p in moves for one, q in options]
            for made, p in moves:
                gone = any(d.action is None for d in made)
                after = state.forfeit(seat) if gone else state.child({d.seat: d.action for d in made})
                go(*stepped(state, after, probability * p, decisions + made, rewards))

    def stepped(before, after, probability, decisions, rewards):
        rewards = [list(row) for row in rewards]
        for player, paid in enumerate(after.rewards):
            rewards[before.round][player] += paid
        return after, probability, decisions, rewards

    go(game.initial_state(), 1.0, (), [[0.0, 0.0] for _ in range(game.num_rounds)])
    return found


def objective(logits, pools, profile, weights, rule, seats=(0, 1)):
    """J, written out: s*u - le*s*e - lc*c - lx*x, with the exploiters' gains clipped one by one.

    Args:
        pools: The opponents by pool.
    """
    hazards = {"c": profile.collusion, "x": profile.externality}

    def mean(opponent, figure):
        total = 0.0
        for seat in seats:
            for episode, p in episodes_of(logits, opponent, seat, rule):
                own, other = episode.returns[seat], episode.returns[1 - seat]
                paid = {"u": own, "e": other - own}
                total += p * (paid[figure] if figure in paid else hazards[figure](episode, seat).sum())
        return total / len(seats)

    u = np.mean([mean(o, "u") for o in pools["train"]])
    e = np.mean([max(0.0, mean(o, "e")) for o in pools["exploiter"]])
    c = np.mean([mean(o, "c") for o in pools["collusive"]]) if pools["collusive"] else 0.0
    x = np.mean([mean(o, "x") for o in (*pools["train"], *pools["exploiter"])])
    s = weights.scale
    return s * u - weights.exploitability * s * e - weights.collusion * c - weights.externality * x


def words_of(rows):
    """Words from probabilities of legal actions, state by state."""
    return Words.of([np.log(row) for row in rows])


CAN_SCORE = Capabilities(scores=True, log_probs=True, updates=True)
