"""Exact gradients of a language model: its own derivative, one scoring pass, nothing random, else one line."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from spoken_table import objective

from equipoise.engines.engine import Capabilities
from equipoise.engines.plain_scoring import token_log_probs
from equipoise.errors import UserError
from equipoise.games import domain, make_game
from equipoise.metrics import GameTree
from equipoise.metrics.exact import nash_conv
from equipoise.models.load import load
from equipoise.objectives.rules import rule
from equipoise.objectives.sepo import CreditWeights
from equipoise.policies.language_model import LanguageModelPolicy, Sampling
from equipoise.seeds import Seed
from equipoise.training.adversaries import agent_tables
from equipoise.training.exact_play import Bonuses, ExactPlay
from equipoise.training.experience import PlaySettings, SepoPlay, pools_of
from equipoise.training.loss import less_divergence
from equipoise.training.recipe import load_recipe, parse_recipe
from equipoise.training.run import train
from equipoise.training.settings import Fading
from equipoise.training.trainer import EpisodeTrainer, StepSettings
from research.model_gradients import policy_gradient

GAME, PROFILE = make_game("kuhn_poker"), domain("kuhn_poker").corrected
BOTH = PlaySettings(rollouts=8, adversaries=("pool", "best_response"))
WEIGHTS = CreditWeights(scale=1.5)


def exact_play(game=GAME, profile=PROFILE, settings=BOTH, credit="own_pool", bonuses=None, **given):
    return ExactPlay(game, profile, settings, WEIGHTS, rule(credit).expectation, bonuses, **given)


class Words:
    """A model's probabilities by plain passes in double precision, as `spoken_table.objective` reads them."""

    def __init__(self, policy, game, questions):
        self.game, self.table = game, {}
        for seat, seen, legal in questions:
            prompt = policy.transcript(game, seen, seat, legal)
            said = [self.probability(policy, prompt, policy.chat.reply(game.action_text(action))) for action in legal]
            self.table[seat, seen] = np.array([*said, 1 - sum(said)])

    def probability(self, policy, prompt, reply):
        with torch.inference_mode():
            logits = policy.engine.model(input_ids=torch.tensor([prompt + reply])).logits[0, len(prompt) - 1 : -1]
            scores = torch.log_softmax(logits / policy.sampling.temperature, dim=-1)
            return float(scores.gather(1, torch.tensor(reply)[:, None]).sum().exp())

    def at(self, seat, seen):
        return self.table[seat, seen]


def bonus_of(words, bonuses):
    """The bonuses on the policy over legal actions at the first step, from probabilities."""
    masses = [p[:-1].sum() for p in words.table.values()]
    divided = [p[:-1] / p[:-1].sum() for p in words.table.values()]
    entropies = [-(q * np.log(q)).sum() for q in divided]
    return bonuses.legal * np.mean(np.log(masses)) + bonuses.legal_entropy.at(0) * np.mean(entropies)


@pytest.mark.parametrize("case", ["kuhn", "dilemma with faults", "bonuses"])
def test_the_gradient_of_the_weights_is_the_derivative_of_the_objective(tokenizer, embedded, case):
    model = copy.deepcopy(embedded[0]).double()
    game, profile, settings, bonuses = GAME, PROFILE, BOTH, Bonuses()
    if case == "dilemma with faults":
        game, profile = make_game("prisoners_dilemma", rounds=2), domain("prisoners_dilemma").corrected
        settings = replace(BOTH, rounds=0, fault_rule="resample")
    if case == "bonuses":
        bonuses = Bonuses(legal=0.3, legal_entropy=Fading(0.5, 2.0, 10))
    policy = LanguageModelPolicy("agent", model, tokenizer, Sampling(temperature=0.8))
    play = exact_play(game, profile, settings, bonuses=bonuses)
    found = play.collect(policy, Seed(0), 0)
    pools = dict(pools_of(profile, settings, [play.adversary.opponent()]))

    def value():
        words = Words(policy, game, play.objective.questions)
        return objective(words, pools, profile, WEIGHTS, settings.fault_rule) + bonus_of(words, bonuses)

    gradient = policy_gradient(policy, found)
    rng = np.random.default_rng(0)
    start = torch.nn.utils.parameters_to_vector(model.parameters()).detach()
    for direction in (gradient, gradient * rng.random(len(gradient)) ** 4):
        direction = direction.astype(float) / np.linalg.norm(direction)
        unit, sides = torch.from_numpy(direction), []
        for step in (1e-4, -1e-4):
            torch.nn.utils.vector_to_parameters(start + step * unit, model.parameters())
            sides.append(value())
        torch.nn.utils.vector_to_parameters(start, model.parameters())
        assert gradient @ direction == pytest.approx((sides[0] - sides[1]) / 2e-4, rel=1e-3)


@pytest.mark.slow
def test_sampled_steps_of_a_model_give_the_exact_one_on_average(embedded):
    policy = LanguageModelPolicy("agent", *embedded)
    entropy = Fading(1.0)
    play = exact_play(bonuses=Bonuses(entropy=entropy))
    right = policy_gradient(policy, play.collect(policy, Seed(0), 0))
    sampled = SepoPlay(GAME, PROFILE, BOTH, WEIGHTS, rule("own_pool").credits, entropy=entropy)
    estimates = np.array([policy_gradient(policy, sampled.collect(policy, Seed(1).at(n), n)) for n in range(40)])
    rng = np.random.default_rng(0)
    others = {
        "no exploiters": ExactPlay(
            GAME, PROFILE, BOTH, replace(WEIGHTS, exploitability=0.0), rule("own_pool").expectation
        ),
        "no entropy": exact_play(),
        "pay alone": exact_play(credit="payoff"),
    }
    wrong = {name: policy_gradient(policy, other.collect(policy, Seed(0), 0)) for name, other in others.items()}
    for line in (right, *(each - right for each in wrong.values()), *rng.normal(size=(8, len(right)))):
        assert off(estimates, right, line) < 4
    for name, each in wrong.items():
        assert off(estimates, each, each - right) > 4, name


def off(estimates, gradient, line):
    """How far the mean estimate is from a gradient along a line, in standard errors."""
    projected = (estimates - gradient) @ line
    return abs(projected.mean()) / (projected.std(ddof=1) / np.sqrt(len(projected)))


def test_nothing_is_random_and_one_pass_scores_everything(embedded, monkeypatch):
    policy, asked = LanguageModelPolicy("agent", *embedded), []
    score = policy.engine.score
    monkeypatch.setattr(
        policy.engine, "score", lambda *args, **named: asked.append(len(args[0])) or score(*args, **named)
    )
    play = exact_play(pass_tokens=64)  # a pass that holds everything is another test's
    first, again = play.collect(policy, Seed(0), 0), play.collect(policy, Seed(99), 1)
    assert asked == [12, 12]
    assert first.rows == again.rows
    assert [row.log_probs for row in first.rows] == [row.log_probs for row in again.rows]
    assert all(np.array_equal(a, b) for a, b in zip(first.weights, again.weights, strict=True))
    assert first.metrics == again.metrics
    assert first.metrics.keys() == {
        "fault_rate",
        "objective",
        "payoff",
        "exact_pool_exploitability",
        "adversary_nash_conv",
    }


def test_rows_are_the_transcripts_of_states_with_the_log_probabilities_of_a_plain_pass(embedded):
    policy = LanguageModelPolicy("agent", *embedded, Sampling(temperature=1.3))
    play = exact_play()
    found = play.collect(policy, Seed(0), 0)
    expected = {
        (policy.transcript(GAME, seen, seat, legal), policy.chat.reply(GAME.action_text(action)))
        for seat, seen, legal in play.objective.questions
        for action in legal
    }
    assert {(row.prompt, row.completion) for row in found.rows} == expected
    plain = token_log_probs(embedded[0], [(row.prompt, row.completion) for row in found.rows], 1.3)
    for row, scores in zip(found.rows, plain, strict=True):
        assert np.allclose(row.log_probs, scores, atol=1e-5)
        assert len(row.turn) == len(row.completion) == len(scores)


def test_what_two_seats_read_alike_is_one_row(embedded):
    policy = LanguageModelPolicy("agent", *embedded)
    game, profile = make_game("prisoners_dilemma", rounds=1), domain("prisoners_dilemma").corrected
    both = exact_play(game, profile, PlaySettings()).collect(policy, Seed(0), 0)
    one = exact_play(game, profile, PlaySettings(seats=(0,))).collect(policy, Seed(0), 0)
    assert len(both.rows) == len(one.rows) == 2
    assert np.allclose(both.weights, one.weights)
    assert both.counts.sum() == pytest.approx(one.counts.sum()) == pytest.approx(1 - both.metrics["fault_rate"])


def test_the_kl_penalty_is_that_of_legal_replies_by_how_often_they_are_said(embedded, new_model):
    policy, other = LanguageModelPolicy("agent", *embedded), new_model()
    found = exact_play().collect(policy, Seed(0), 0)

    def reference(pairs):
        return token_log_probs(other, pairs)

    same, nothing = less_divergence(found, lambda pairs: [np.array(row.log_probs) for row in found.rows], 0.7)
    assert nothing == pytest.approx(0.0, abs=1e-12)
    assert all(np.allclose(a, b) for a, b in zip(same.weights, found.weights, strict=True))
    moved, divergence = less_divergence(found, reference, 0.7)
    scores = reference([(row.prompt, row.completion) for row in found.rows])
    expected = tokens = 0.0
    for row, count, score, before, after in zip(
        found.rows, found.counts, scores, found.weights, moved.weights, strict=True
    ):
        ratio = np.exp(score - np.array(row.log_probs))
        assert np.allclose(after, before - 0.7 * count * (1 - ratio))
        expected += count * (ratio - np.log(ratio) - 1).sum()
        tokens += count * len(row.completion)
    assert divergence == pytest.approx(expected / tokens)
    assert found.counts.min() > 0


def test_the_bonus_on_legal_entropy_falls_to_nothing_at_the_last_step(embedded):
    policy = LanguageModelPolicy("agent", *embedded)
    play = exact_play(bonuses=Bonuses(legal_entropy=Fading(0.5, 2.0, 4)))
    none = exact_play().collect(policy, Seed(0), 0)
    sizes = []
    for step in range(5):
        weights = play.collect(policy, Seed(0), step).weights
        sizes.append(sum(np.abs(a - b).sum() for a, b in zip(weights, none.weights, strict=True)))
    assert sizes[0] > 0.01
    assert np.allclose(sizes, [sizes[0] * (1 - step / 4) ** 2 for step in range(5)], atol=1e-12)


def test_an_adversary_is_taken_up_where_a_run_was_stopped(embedded):
    policy = LanguageModelPolicy("agent", *embedded)
    settings = replace(BOTH, refresh=4)
    going, resumed = exact_play(settings=settings), exact_play(settings=settings)
    going.collect(policy, Seed(0), 0)
    resumed.restore(going.state())
    colder = LanguageModelPolicy("agent", *embedded, Sampling(temperature=0.5))
    first, again = (play.collect(colder, Seed(0), 1) for play in (going, resumed))
    assert first.metrics == again.metrics
    assert all(np.array_equal(a, b) for a, b in zip(first.weights, again.weights, strict=True))


REFUSED = {
    "self-play": ({"objective": {"rule": "naive"}}, "a rule of self-play in objective.rule; allowed: sepo, own_pool"),
    "both": (
        {"objective": {"rule": ["advantage_alignment", "sepo"]}},
        "a rule of self-play in objective.rule; allowed: sepo, own_pool, own_pool_immediate, payoff, welfare",
    ),
    "shared": (
        {"objective": {"rule": "shared_penalty"}},
        "'shared_penalty', which states no expectation; allowed: sepo",
    ),
    "independent": (
        {"objective": {"rule": "independent_penalty"}},
        "'independent_penalty', which states no expectation",
    ),
    "reasons": ({"sampling": {"reasoning": "brief"}}, "sampling.reasoning = 'brief'; an action's probability"),
    "learned": (
        {"play": {"adversaries": ["learned"]}},
        "'learned' in play.adversaries, which learns from sampled play",
    ),
    "talk": ({"game": "trust_and_split"}, "players of trust_and_split talk: texts cannot be listed"),
    "unknown": ({"rl": {"gradient": "precise"}}, "unknown gradient 'precise'; known: sampled, exact"),
    "legal": ({"rl": {"gradient": "sampled"}, "objective": {"legal": 0.1}}, "objective.legal=0.1, which counts every"),
    "annealed": (
        {"rl": {"gradient": "sampled"}, "objective": {"legal_entropy": 1}},
        "objective.legal_entropy=1.0, which",
    ),
    "negative": ({"objective": {"legal": -1}}, "got legal=-1.0; it must be 0 or more"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_recipe_that_cannot_be_exact_is_refused_in_one_line(case):
    table, match = REFUSED[case]
    with pytest.raises(UserError, match=match) as caught:
        parse_recipe({"rl": {"gradient": "exact"}, **table})
    assert "\n" not in str(caught.value)


def test_a_game_that_is_too_large_is_refused_before_there_is_a_folder(tmp_path):
    recipe = load_recipe("kuhn_poker/six_hands", ["rl.gradient=exact"])
    with pytest.raises(UserError, match=r"kuhn_poker {'hands': 6} has more than .*exact gradients need a smaller game"):
        train(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_policy_whose_words_have_no_probability_is_refused_in_one_line(embedded, monkeypatch):
    play, policy = exact_play(), LanguageModelPolicy("agent", *embedded)
    with pytest.raises(
        UserError, match=r"sampling.reasoning = 'free'; exact gradients need replies that are the action"
    ):
        play.collect(LanguageModelPolicy("agent", *embedded, Sampling(reasoning="free")), Seed(0), 0)
    with pytest.raises(UserError, match=r"max_new_tokens = 1; an action of kuhn_poker has \d tokens"):
        play.collect(LanguageModelPolicy("agent", *embedded, Sampling(max_new_tokens=1)), Seed(0), 0)
    monkeypatch.setattr(policy.engine, "can", Capabilities(scores=False, log_probs=True, updates=True))
    with pytest.raises(UserError, match=r"the engine 'local' tells no probabilities .*exact gradients need"):
        play.collect(policy, Seed(0), 0)


def trained(play, seed, out):
    """NashConv of the embedded model after sixty steps."""
    model, tokenizer = load("tiny")
    policy = LanguageModelPolicy("agent", model, tokenizer)
    settings = StepSettings(60, 1e-3, on_cpu=True)
    EpisodeTrainer(model, tokenizer, settings, out, lambda s: play.collect(policy, Seed(seed).at(s), s)).train()
    model.eval()
    tree = GameTree(GAME)
    return nash_conv(tree, agent_tables(policy, GAME, tree))


@pytest.mark.slow
def test_exact_steps_come_as_close_to_equilibrium_as_as_many_sampled_ones(tmp_path):
    """Measured: 0.046 for exact steps, 0.039, 0.055 and 0.062 for sampled ones; 0.499 before."""
    settings = PlaySettings(rollouts=16, adversaries=("best_response",), train_pool=("nash",))
    weights, own_pool = CreditWeights(), rule("own_pool")
    exact = trained(ExactPlay(GAME, PROFILE, settings, weights, own_pool.expectation), 0, tmp_path)
    sampled = [trained(SepoPlay(GAME, PROFILE, settings, weights, own_pool.credits), n, tmp_path) for n in range(3)]
    assert exact < 0.1
    assert exact < 1.3 * np.mean(sampled)
