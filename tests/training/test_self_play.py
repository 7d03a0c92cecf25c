"""Self-play: who meets whom, what each decision is credited with, and which tokens are trained."""

import itertools

import numpy as np
import pytest

from equipoise.games import domain, make_game
from equipoise.objectives.alignment import advantage_alignment, naive, sum_of_rewards
from equipoise.objectives.rules import shaped
from equipoise.objectives.sepo import CreditWeights
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.seeds import Seed
from equipoise.training import self_play
from equipoise.training.play import AGENT
from equipoise.training.population import PastSettings
from equipoise.training.rows import NOT_OURS, Side, credited_rows, per_turn, transcript_row
from equipoise.training.self_play import Credit, SelfPlay, SelfPlaySettings
from equipoise.training.settings import Fading
from research.model_gradients import policy_gradient

ROUNDS, DIVISOR, GAMMA, BETA = 4, 5.0, 0.9, 1.5


@pytest.fixture
def agent(embedded):
    return LanguageModelPolicy(AGENT, *embedded)


def play_of(tmp_path, rule=naive, past=None, entropy=0.0, **settings):
    game = make_game("prisoners_dilemma", rounds=ROUNDS)
    credit = Credit(shaped(rule), CreditWeights(discount=GAMMA, beta=BETA), Fading(entropy))
    chosen = SelfPlaySettings(deals=4, rollouts=6, reward_divisor=DIVISOR, **settings)
    return SelfPlay(
        game, domain("prisoners_dilemma").corrected, chosen, past or PastSettings(probability=0.0), credit, tmp_path
    )


@pytest.fixture
def watched(monkeypatch):
    """The episodes every collect plays, as a list that fills up."""
    seen = []

    def recorded(*args, **kwargs):
        seen.extend(rolled(*args, **kwargs))
        return list(seen[-24:])

    rolled = self_play.play_together
    monkeypatch.setattr(self_play, "play_together", recorded)
    return seen


def returns(episode, seat, start):
    """Discounted reward-to-go in the unit of the objective, written as a sum."""
    return sum(GAMMA ** (r - start) * episode.rewards[r][seat] / DIVISOR for r in range(start, ROUNDS))


def advantages(group, seats, start):
    values = [returns(episode, seat, start) for episode, seat in zip(group, seats, strict=True)]
    return [value - (sum(values) - value) / (len(values) - 1) for value in values]


def by_hand(episodes, shaping):
    """The credit of every (episode, learner's seat, round), by plain sums over groups of six."""
    credits = {}
    for number in range(4):
        group, seat = episodes[6 * number : 6 * number + 6], number % 2
        own = [advantages(group, [seat] * 6, t) for t in range(ROUNDS)]
        other = [advantages(group, [1 - seat] * 6, t) for t in range(ROUNDS)]
        for i, t in itertools.product(range(6), range(ROUNDS)):
            past = sum(GAMMA ** (t - k) * own[k][i] for k in range(t))
            credits[6 * number + i, t] = shaping(own[t][i], other[t][i], past)
    return credits


@pytest.mark.parametrize(
    ("rule", "shaping"),
    [
        (naive, lambda own, other, past: own),
        (sum_of_rewards, lambda own, other, past: own + other),
        (advantage_alignment, lambda own, other, past: own + BETA * GAMMA * past * other),
    ],
)
def test_the_credit_of_every_token_is_the_formula_written_out(agent, tmp_path, watched, rule, shaping):
    experience = play_of(tmp_path, rule).collect(agent, Seed(3).at(0), 0)
    credits, expected = by_hand(watched, shaping), {}
    for b, episode in enumerate(watched):
        seat = b // 6 % 2
        row = transcript_row(episode, seat)
        rounds = [decision.round for decision in episode.of(seat)]
        weights = np.array([0.0 if turn == NOT_OURS else credits[b, rounds[turn]] for turn in row.turn])
        key = row.prompt, row.completion
        expected[key] = expected.get(key, 0.0) + weights
    assert len(experience.rows) == len(expected) > 10
    for row, weight in zip(experience.rows, experience.weights, strict=True):
        assert np.allclose(weight, expected[row.prompt, row.completion], atol=1e-9)
    assert experience.episodes == 24


def test_both_seats_are_trained_where_the_present_self_plays_both(agent, tmp_path, watched):
    one = play_of(tmp_path, trained="one").collect(agent, Seed(3).at(0), 0)
    both = play_of(tmp_path, trained="both").collect(agent, Seed(3).at(0), 0)
    assert (one.episodes, both.episodes) == (24, 48)
    assert int(both.counts.sum()) == 48
    assert {row.completion for row in one.rows} < {row.completion for row in both.rows}


def test_a_past_opponents_tokens_are_never_trained(agent, tmp_path, watched):
    play = play_of(tmp_path, past=PastSettings(every=1, probability=1.0), trained="both")
    play.collect(agent, Seed(3).at(0), 0)
    assert play.population.steps == [0]
    assert {name for episode in watched for name in episode.policies} == {AGENT}  # there is no past yet
    del watched[:]
    experience = play.collect(agent, Seed(3).at(1), 1)
    assert play.population.steps == [0, 1]
    assert {name for episode in watched for name in episode.policies} == {AGENT, "past-0"}
    assert experience.episodes == 24
    ours = {transcript_row(episode, episode.policies.index(AGENT)).completion for episode in watched}
    assert {row.completion for row in experience.rows} == ours


def test_scripts_join_the_population_from_the_first_step(agent, tmp_path, watched):
    past = PastSettings(probability=0.5, scripts=("always_defect",))
    metrics = play_of(tmp_path, past=past).collect(agent, Seed(3).at(0), 0).metrics
    opponents = [episode.policies[1 - b // 6 % 2] for b, episode in enumerate(watched)]
    assert set(opponents) == {AGENT, "always_defect"}
    assert {"payoff_always_defect", "payoff_self", "welfare_self", "fault_rate"} <= set(metrics)
    assert metrics["payoff_always_defect"] <= 1.0  # nothing pays more against a player that always defects


def test_a_group_has_one_opponent_unless_opponents_are_mixed(agent, tmp_path, watched):
    past = PastSettings(probability=0.5, scripts=("always_defect", "always_cooperate"))
    met = {}
    for baseline in ("opponent", "mixed"):
        del watched[:]
        play_of(tmp_path, past=past, baseline=baseline).collect(agent, Seed(3).at(0), 0)
        names = [episode.policies[1 - b // 6 % 2] for b, episode in enumerate(watched)]
        met[baseline] = [len(set(names[start : start + 6])) for start in range(0, 24, 6)]
    assert met["opponent"] == [1] * 4
    assert max(met["mixed"]) > 1


def test_without_groups_the_baseline_is_the_mean_of_the_whole_step(agent, tmp_path, watched):
    experience = play_of(tmp_path, baseline="batch").collect(agent, Seed(3).at(0), 0)
    learners = [b // 6 % 2 for b in range(24)]
    first = advantages(watched, learners, 0)
    total = {}
    for b, episode in enumerate(watched):
        row = transcript_row(episode, learners[b])
        total[row.completion] = total.get(row.completion, 0.0) + first[b]
    for row, weight in zip(experience.rows, experience.weights, strict=True):
        assert np.isclose(weight[0], total[row.completion])


def test_rows_per_turn_have_the_policy_gradient_of_transcripts(new_model, tokenizer, tmp_path):
    agent = LanguageModelPolicy(AGENT, new_model(), tokenizer)
    whole = play_of(tmp_path).collect(agent, Seed(3).at(0), 0)
    turns = play_of(tmp_path, rows="turn").collect(agent, Seed(3).at(0), 0)
    assert len(turns.rows) > len(whole.rows)
    assert all(set(row.turn) == {row.turn[0]} for row in turns.rows)
    expected = policy_gradient(agent, whole)
    assert np.linalg.norm(expected) > 1e-4
    assert np.allclose(policy_gradient(agent, turns), expected, atol=1e-5 * np.linalg.norm(expected))


def test_the_entropy_bonus_pays_for_surprise_and_nothing_for_faults(agent, tmp_path, watched):
    play_of(tmp_path).collect(agent, Seed(3).at(0), 0)
    faulty = [b for b, episode in enumerate(watched) if any(d.fault is not None for d in episode.of(0))]
    fine = [b for b in range(24) if b not in faulty]
    assert faulty
    assert fine
    for b in (faulty[0], fine[0]):
        side = Side(watched[b], 0, watched[b].of(0))
        rows, weights, _ = credited_rows([side], np.zeros((1, ROUNDS)), 1, entropy=0.5)
        (row,), (weight,) = rows, weights
        legal = np.array([turn != NOT_OURS and side.decisions[turn].fault is None for turn in row.turn])
        assert np.allclose(weight, np.where(legal, -0.5 * np.array(row.log_probs), 0.0))
        assert weight.max() > 0
        assert (legal.sum() == sum(turn != NOT_OURS for turn in row.turn)) == (b in fine)


def test_cutting_rows_keeps_tokens_log_probabilities_and_counts(agent, tmp_path):
    whole = play_of(tmp_path).collect(agent, Seed(3).at(0), 0)
    rows, weights, counts = per_turn(whole.rows, whole.weights, whole.counts)
    kept = [sum(turn != NOT_OURS for turn in row.turn) for row in whole.rows]
    assert sum(len(row.completion) for row in rows) == sum(kept)
    assert all(len(row.log_probs) == len(row.completion) == len(w) for row, w in zip(rows, weights, strict=True))
    assert counts.sum() > whole.counts.sum()


def test_a_step_is_keyed_by_its_number_alone(agent, tmp_path):
    first = play_of(tmp_path, past=PastSettings(scripts=("tit_for_tat",))).collect(agent, Seed(3).at(7), 7)
    again = play_of(tmp_path, past=PastSettings(scripts=("tit_for_tat",))).collect(agent, Seed(3).at(7), 7)
    other = play_of(tmp_path, past=PastSettings(scripts=("tit_for_tat",))).collect(agent, Seed(3).at(8), 8)
    assert [row.completion for row in first.rows] == [row.completion for row in again.rows]
    assert [row.completion for row in first.rows] != [row.completion for row in other.rows]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"rollouts": 1}, "rollouts=1; allowed: deals >= 1, rollouts >= 2"),
        ({"trained": "none"}, "trained='none'; allowed: one, both"),
        ({"baseline": "seat"}, "allowed: opponent, mixed, batch"),
        ({"reward_divisor": 0.0}, "reward_divisor=0.0; it must be above 0"),
        ({"fault_rule": "replay"}, "unknown fault rule 'replay'"),
    ],
)
def test_settings_that_make_no_sense_are_one_line(settings, said):
    with pytest.raises(ValueError, match=said):
        SelfPlaySettings(**settings)


def test_an_unknown_script_is_one_line(tmp_path):
    with pytest.raises(ValueError, match=r"unknown opponent 'alwais'; known: .*always_defect"):
        play_of(tmp_path, past=PastSettings(scripts=("alwais",)))
