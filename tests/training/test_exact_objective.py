"""Exact slopes: those of an objective computed by brute force, and what sampled credits give on average."""

from dataclasses import replace

import numpy as np
import pytest
from spoken_table import PLACES, Logits, SpokenTable, objective

from equipoise.core import FAULT_RULES, Opponent, Pools
from equipoise.errors import UserError
from equipoise.games import Profile, domain, make_game
from equipoise.metrics import GameTree
from equipoise.metrics.exact_faults import StatePolicy, fault_aware_pool_values
from equipoise.objectives.rules import rule
from equipoise.objectives.sepo import CreditWeights
from equipoise.seeds import Seed
from equipoise.training import exact_objective
from equipoise.training.exact_objective import ExactObjective
from equipoise.training.experience import PlaySettings, SepoPlay, pools_of
from equipoise.training.script_tree import ScriptTree
from equipoise.training.settings import Fading

GAMES = {
    "kuhn": (make_game("kuhn_poker"), domain("kuhn_poker").corrected),
    "published kuhn": (make_game("kuhn_poker"), domain("kuhn_poker").published),
    "dilemma": (make_game("prisoners_dilemma", rounds=2), domain("prisoners_dilemma").corrected),
    "auction": (make_game("auction", rounds=1), domain("auction").corrected),
}
WEIGHTS = CreditWeights(exploitability=1.3, collusion=0.9, externality=2.0, scale=0.8)
BOTH = PlaySettings(adversaries=("pool", "best_response"), rounds=0)


def exact(name, settings, logits, weights=WEIGHTS, credit="own_pool", made=()):
    game, profile = GAMES[name]
    found = ExactObjective(game, profile, settings, weights, rule(credit).expectation)
    return found.slope(list(made), frozenset(opponent.name for opponent in made), logits.said)


def adversary(name, logits):
    """The best response to a policy."""
    play = SepoPlay(*GAMES[name], BOTH, WEIGHTS, rule("own_pool").credits)
    made = play.adversaries["best_response"]
    made.refresh(SpokenTable(logits), Seed(0))
    return made.opponent()


@pytest.mark.parametrize("fault_rule", FAULT_RULES)
@pytest.mark.parametrize("name", ["published kuhn", "dilemma"])
def test_value_and_slope_are_those_of_the_objective_written_out(name, fault_rule):
    game, profile = GAMES[name]
    logits, settings = Logits(game, seed=1), replace(BOTH, fault_rule=fault_rule)
    made = adversary(name, logits)
    pools = dict(pools_of(profile, settings, [made]))

    def value(moved):
        return objective(moved, pools, profile, WEIGHTS, fault_rule)

    found = exact(name, settings, logits, made=[made])
    assert found.metrics["objective"] * game.num_rounds == pytest.approx(value(logits), abs=1e-10)
    gradient = logits.exact_gradient(found)
    assert np.linalg.norm(gradient) > 0.05
    rng = np.random.default_rng(2)
    for direction in (gradient / np.linalg.norm(gradient), *rng.normal(size=(3, len(gradient)))):
        sides = [value(logits.moved(step * direction)) for step in (1e-5, -1e-5)]
        assert gradient @ direction == pytest.approx((sides[0] - sides[1]) / 2e-5, rel=1e-6, abs=1e-8)


def test_pay_and_gaps_are_those_of_the_other_exact_road():
    game, profile = GAMES["kuhn"]
    logits, tree = Logits(game, seed=3), GameTree(game)
    tables = [{}, {}]
    for seat, seen, legal in logits.questions:
        p = logits.at(seat, seen).tolist()
        tables[seat][seen] = StatePolicy(dict(zip(legal, p[:-1], strict=True)), p[-1])
    metrics = exact("kuhn", PlaySettings(), logits).metrics
    own = [fault_aware_pool_values(tree, tables, o.behaviour)[0] for o in profile.pools.train]
    gaps = [fault_aware_pool_values(tree, tables, o.behaviour) for o in profile.pools.exploiter]
    assert metrics["payoff"] == pytest.approx(np.mean(own))
    assert metrics["exact_pool_exploitability"] == pytest.approx(np.mean([max(0.0, b - a) for a, b in gaps]))


def sampled(name, settings, logits, weights, credit, batches, entropy=0.0):
    """One gradient estimate per batch, [N, P]."""
    play = SepoPlay(*GAMES[name], settings, weights, rule(credit).credits, entropy=Fading(entropy))
    policy = SpokenTable(logits)
    return np.array([logits.sampled_gradient(play.collect(policy, Seed(0).at(n), n)) for n in range(batches)])


def distance(estimates, gradient):
    """How far the mean estimate is from a gradient, in standard errors: the largest over the parameters."""
    errors = estimates.std(axis=0, ddof=1) / np.sqrt(len(estimates))
    moving = errors > 1e-12
    assert np.allclose(estimates.mean(axis=0)[~moving], gradient[~moving], atol=1e-9)
    return np.abs((estimates.mean(axis=0) - gradient)[moving] / errors[moving]).max()


def along(estimates, gradient, other):
    """How far the mean estimate is from `other` along the line from the gradient to it, in standard errors."""
    line = other - gradient
    assert np.linalg.norm(line) > 1e-3 * np.linalg.norm(gradient)
    projected = (estimates - other) @ line
    return abs(projected.mean()) / (projected.std(ddof=1) / np.sqrt(len(projected)))


TERMS = ("exploitability", "externality", "payoff")
CASES = {
    "published kuhn": ("published kuhn", "own_pool", 1.0, "forfeit", ("collusion", *TERMS, "discount", "immediate")),
    "kuhn, random_legal": ("published kuhn", "own_pool", 1.0, "random_legal", ("collusion", *TERMS, "forfeit")),
    "dilemma": ("dilemma", "own_pool", 1.0, "forfeit", ("collusion", *TERMS, "discount", "immediate")),
    "auction": ("auction", "own_pool", 1.0, "forfeit", TERMS),
    "discount": ("dilemma", "own_pool", 0.5, "forfeit", ("discount", "immediate")),
    "discount, two decisions in a hand": ("published kuhn", "own_pool", 0.5, "forfeit", ("discount", "immediate")),
    "immediate": ("published kuhn", "own_pool_immediate", 1.0, "forfeit", TERMS),
    "welfare": ("dilemma", "welfare", 1.0, "random_legal", ("payoff", "forfeit")),
}
"""Game, credit rule, discount, fault rule, and mistakes that the same draws must tell from the truth."""


QUICK = ("published kuhn", "dilemma")


@pytest.mark.parametrize("case", [c if c in QUICK else pytest.param(c, marks=pytest.mark.slow) for c in CASES])
def test_sampled_credits_give_the_exact_gradient_on_average(case):
    name, credit, discount, fault_rule, mistakes = CASES[case]
    weights = replace(WEIGHTS, discount=discount)
    settings = replace(BOTH, rollouts=8, deals=0 if "kuhn" in name else 4, fault_rule=fault_rule)
    logits = Logits(GAMES[name][0], seed=1)
    made = adversary(name, logits)
    estimates = sampled(name, settings, logits, weights, credit, 48)

    def gradient(weights=weights, settings=settings, credit=credit):
        return logits.exact_gradient(exact(name, settings, logits, weights, credit, [made]))

    wrong = {
        "payoff": lambda: gradient(credit="payoff"),
        "discount": lambda: gradient(replace(weights, discount=1.5 - discount)),
        "immediate": lambda: gradient(credit="own_pool_immediate"),
        "forfeit": lambda: gradient(settings=replace(settings, fault_rule="forfeit")),
        **{term: lambda term=term: gradient(replace(weights, **{term: 0.0})) for term in (*TERMS[:2], "collusion")},
    }
    right = gradient()
    assert distance(estimates, right) < 4
    for mistake in mistakes:
        assert along(estimates, right, wrong[mistake]()) > 4, mistake


@pytest.mark.slow
def test_where_faults_play_by_the_policy_itself_sampled_credits_are_the_gradient_times_the_legal_mass():
    settings = replace(BOTH, rollouts=8, fault_rule="constrained")
    logits = Logits(GAMES["kuhn"][0], seed=1, fault=0.5)
    made = adversary("kuhn", logits)
    found = exact("kuhn", settings, logits, made=[made])
    estimates = sampled("kuhn", settings, logits, WEIGHTS, "own_pool", 48)
    scaled = replace(found, pulls=found.pulls * (1 - found.words.faults))
    right = logits.exact_gradient(scaled)
    assert distance(estimates, right) < 4
    assert along(estimates, right, logits.exact_gradient(found)) > 4


@pytest.mark.slow
def test_visits_are_the_decisions_of_an_average_episode():
    settings = replace(BOTH, rollouts=8, deals=8)
    logits = Logits(GAMES["dilemma"][0], seed=1)
    found = exact("dilemma", settings, logits, made=[adversary("dilemma", logits)])
    play = SepoPlay(*GAMES["dilemma"], settings, WEIGHTS, rule("own_pool").credits)
    counts = np.zeros((24, len(logits.questions)))
    for n, own in enumerate(counts):
        experience = play.collect(SpokenTable(logits), Seed(0).at(n), n)
        for row, count in zip(experience.rows, experience.counts, strict=True):
            for token, turn in zip(row.completion, row.turn, strict=True):
                if turn >= 0:
                    own[token // PLACES] += count / experience.episodes
    expected = np.zeros(len(logits.questions))
    for (seat, seen, _), visits in zip(found.questions, found.visits, strict=True):
        expected[logits.numbers[seat, seen]] = visits
    assert distance(counts, expected) < 4
    rate = [n.metrics["fault_rate"] for n in (play.collect(SpokenTable(logits), Seed(1).at(n), n) for n in range(8))]
    assert found.metrics["fault_rate"] == pytest.approx(np.mean(rate), abs=4 * np.std(rate, ddof=1) / np.sqrt(8))


def test_an_exploiter_that_loses_adds_nothing_unless_it_is_known_to_be_a_best_response():
    game, profile = GAMES["kuhn"]
    loser = next(o for o in profile.pools.held_out if o.name == "always_pass")
    only = Profile(pools=Pools(train=profile.pools.train, exploiter=(loser,)))
    logits = Logits(game, seed=3, fault=-9.0)
    gradients = {}
    for weight in (0.0, 5.0):
        weights, without = replace(WEIGHTS, exploitability=weight), replace(only, pools=Pools(only.pools.train))
        expectation = rule("own_pool").expectation
        shut = ExactObjective(game, only, PlaySettings(), weights, expectation).slope([], frozenset(), logits.said)
        held = ExactObjective(game, without, PlaySettings(), weights, expectation)
        held = held.slope([loser], frozenset({loser.name}), logits.said)
        gradients[weight] = logits.exact_gradient(shut), logits.exact_gradient(held)
        assert shut.metrics["exact_pool_exploitability"] == 0.0
    assert np.array_equal(gradients[0.0][0], gradients[5.0][0])
    assert np.linalg.norm(gradients[5.0][1] - gradients[0.0][1]) > 0.1


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"name": "prisoners_dilemma", "rounds": 8}, "has more than 4096 information states; exact gradients need a"),
        ({"name": "kuhn_poker", "hands": 6}, "has more than .* against 'nash'; exact gradients need a smaller game"),
    ],
)
def test_a_large_game_is_refused_in_one_line(changes, match):
    name = changes.pop("name")
    with pytest.raises(UserError, match=match) as caught:
        ExactObjective(
            make_game(name, **changes), domain(name).corrected, PlaySettings(), WEIGHTS, rule("own_pool").expectation
        )
    assert "\n" not in str(caught.value)


def test_too_many_states_are_refused_in_one_line(monkeypatch):
    monkeypatch.setattr(exact_objective, "MOST_STATES", 11)
    with pytest.raises(UserError, match="more than 11 information states; exact gradients need a smaller game"):
        exact("kuhn", PlaySettings(), Logits(GAMES["kuhn"][0], seed=0))


@pytest.mark.parametrize(
    ("behaviour", "match"),
    [
        (lambda seen, legal: dict.fromkeys(legal, 0.4), "the script 'odd' gave .*that sum to one"),
        (lambda seen, legal: {"raise": 1.0}, "the script 'odd' gave .*allowed: probabilities of \\w+, "),
        (lambda seen, legal: {legal[5]: 1.0}, "the script 'odd' failed"),
    ],
)
def test_a_script_that_gives_no_distribution_is_named_in_one_line(behaviour, match):
    game, profile = GAMES["kuhn"]
    with pytest.raises(UserError, match=match) as caught:
        ScriptTree(game, profile, Opponent("odd", behaviour, True, "a test"), 0, forfeits=True)
    assert "\n" not in str(caught.value)
