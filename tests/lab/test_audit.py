"""An audit tells the truth about players whose truth is known, and about the embedded model."""

import math
from collections import Counter

import numpy as np
import pytest

from equipoise.arena import Match, rollout
from equipoise.core import FAULT_RULES, Opponent, Reply
from equipoise.games import domain, make_game
from equipoise.games.first_rounds import FirstRounds
from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.games.kuhn_poker.opponents import ALWAYS_PASS, MANIAC, UNIFORM, nash
from equipoise.games.text import render_rules
from equipoise.lab import audit_exact, audit_play
from equipoise.lab.audit import AuditSettings, audited
from equipoise.lab.audit_exact import context_spread, covered_rounds, exact_estimates, scored
from equipoise.lab.transcripts import conversation
from equipoise.metrics import (
    GameTree,
    StatePolicy,
    behaviour_table,
    expected_returns,
    fault_aware_returns,
    nash_conv,
    policy_table,
    pool_values,
    renormalised,
)
from equipoise.policies.language_model import LanguageModelPolicy, Sampling
from equipoise.policies.policy import Policy, Session
from equipoise.policies.scripted import ScriptedPolicy
from equipoise.seeds import Use
from equipoise.training import demonstrations, experience
from equipoise.training.recipe import parse_recipe
from equipoise.training.run import train

POOLS = domain("kuhn_poker").pools
OPPONENTS = [opponent for _, opponent in POOLS.all()]
GAME = KuhnPoker()
TREE = GameTree(FirstRounds(GAME))


class Speaker(Policy):
    """Says a script's moves in words, and babbles with probability `faults`: a model whose policy is known."""

    def __init__(self, behaviour, faults=0.0):
        self.name, self.behaviour, self.faults = "agent", behaviour, faults

    def session(self, game, seed):
        return _Speaking(self, seed.generator())

    def action_probabilities(self, game, states):
        rows = [self.behaviour(game.as_first_round(state), legal) for _, state, legal in states]
        return [{action: p * (1 - self.faults) for action, p in row.items()} for row in rows]


class _Speaking(Session):
    def __init__(self, speaker, rng):
        self.speaker, self.rng = speaker, rng

    def replies(self, requests):
        return [Reply(text=self.word(request)) for request in requests]

    def word(self, request):
        if self.rng.random() < self.speaker.faults:
            return "hmm"
        row = self.speaker.behaviour(request.information_state, request.legal)
        return str(self.rng.choice([str(a) for a in row], p=list(row.values())))


@pytest.fixture(scope="module")
def agent(embedded):
    """The embedded model as a player."""
    return LanguageModelPolicy("agent", *embedded)


@pytest.fixture(scope="module")
def found(agent):
    """Its audit in one hand on 300 common deals."""
    return audited(agent, GAME, AuditSettings(deals=300, seed=5))


@pytest.fixture(scope="module")
def sampled(agent):
    """The same without exact figures: all that can be sampled is."""
    return audited(agent, GAME, AuditSettings(deals=300, seed=5, exact=False))


@pytest.fixture(scope="module")
def babbler():
    """The audit of a Nash player that faults in one reply of five."""
    return audited(Speaker(nash(1 / 6), 0.2), GAME, AuditSettings(deals=200))


@pytest.mark.parametrize(
    ("style", "value"),
    [
        (nash(0.0), 0.0),
        (nash(1 / 3), 0.0),
        (UNIFORM, 11 / 12),  # OpenSpiel: nash_conv(kuhn_poker, uniform policy) = 0.916666666666667
        (MANIAC, 2 / 3),  # a best response folds J (-1), breaks even with Q, wins 2 with K: 1/3 in each seat
        (ALWAYS_PASS, 2.0),  # a bet always takes the pot: +1 in each seat
    ],
)
def test_exact_figures_of_known_players_are_the_known_ones(style, value):
    table = policy_table(Speaker(style), GAME, TREE)
    estimates = exact_estimates(TREE, table)
    for name in ("nash_conv", "nash_conv_fault_aware", "worst_case_advantage"):
        assert estimates[name].value == pytest.approx(value, abs=1e-9), name
        assert estimates[name].low == estimates[name].high == estimates[name].value
        assert estimates[name].method == "exact"
    assert estimates["max_state_fault"].value == pytest.approx(0, abs=1e-12)


def test_the_exact_figures_are_those_of_the_model_s_own_renormalised_table(agent, found):
    table = policy_table(agent, GAME, TREE)
    value = found.agent.estimates["nash_conv"].value
    assert value == nash_conv(TREE, [renormalised(seat) for seat in table])
    assert value == nash_conv(GAME, [renormalised(seat) for seat in table])
    assert found.agent.estimates["worst_case_advantage"].value == pytest.approx(value, abs=1e-9)
    for seat in table:
        for state, policy in seat.items():
            assert sum(policy.probabilities.values()) + policy.fault == pytest.approx(1, abs=1e-6), state


def test_faults_raise_the_exploitability_that_counts_them(found, babbler):
    for one in (found, babbler):
        plain, aware = (one.agent.estimates[name].value for name in ("nash_conv", "nash_conv_fault_aware"))
        assert one.agent.estimates["max_state_fault"].value > 0
        assert aware > plain
    assert babbler.agent.estimates["nash_conv"].value == pytest.approx(0, abs=1e-9)
    assert babbler.agent.estimates["nash_conv_fault_aware"].value > 0.2


def test_the_fault_rate_and_its_kinds_are_those_that_were_planted(babbler):
    rate = babbler.agent.estimates["fault_rate"]
    assert rate.low < 0.2 < rate.high
    assert rate.high - rate.low < 0.04
    assert babbler.agent.faults == {"unparsable": pytest.approx(rate.value)}
    assert babbler.agent.estimates["max_state_fault"].value == pytest.approx(0.2)
    assert [row.outside for row in babbler.agent.states] == pytest.approx([0.2] * 12)


def exact_payoffs(table):
    """The exact payoff against every opponent, both seats, every fault a forfeit."""
    payoffs = {}
    for opponent in OPPONENTS:
        theirs = [
            {state: StatePolicy(row) for state, row in seat.items()}
            for seat in behaviour_table(TREE, opponent.behaviour)
        ]
        first = fault_aware_returns(TREE, [table[0], theirs[1]])[0]
        second = fault_aware_returns(TREE, [theirs[0], table[1]])[1]
        payoffs[opponent.name] = (first + second) / 2
    return payoffs


def covered(rows, exact):
    """Whether each opponent's sampled interval holds the exact payoff; t intervals of no width are judged as equal."""
    return [row.payoff.low - 1e-9 <= exact[row.opponent] <= row.payoff.high + 1e-9 for row in rows]


def test_sampled_intervals_cover_the_exact_payoffs_of_the_model(agent, sampled):
    table = policy_table(agent, GAME, TREE)
    legal = [renormalised(seat) for seat in table]
    without_faults = {o.name: pool_values(TREE, legal, o.behaviour)[0] for o in OPPONENTS}
    assert len(sampled.agent.opponents) == 9
    assert sum(covered(sampled.agent.opponents, exact_payoffs(table))) >= 8
    assert sum(covered(sampled.agent.opponents, without_faults)) >= 8


def test_sampled_intervals_cover_the_exact_payoffs_of_a_babbler_only_if_faults_count():
    babbler = Speaker(nash(1 / 6), 0.2)
    audits = [audited(babbler, GAME, AuditSettings(deals=200, exact=False, seed=seed)) for seed in range(4)]
    rows = [row for found in audits for row in found.agent.opponents]
    table = policy_table(babbler, GAME, TREE)
    legal = [renormalised(seat) for seat in table]
    without_faults = {o.name: pool_values(TREE, legal, o.behaviour)[0] for o in OPPONENTS}
    assert len(rows) == 4 * 9
    assert sum(covered(rows, exact_payoffs(table))) >= 4 * 8
    assert sum(covered(rows, without_faults)) <= 2


@pytest.mark.parametrize("which", ["found", "sampled"])
def test_pool_figures_average_their_own_pool_alone(which, request):
    found = request.getfixturevalue(which)

    def mean(pool, figure):
        return np.mean([getattr(row, figure).value for row in found.agent.opponents if row.pool == pool])

    gaps, held_out = (
        [row.gap.value for row in found.agent.opponents if row.pool == pool] for pool in ("exploiter", "held_out")
    )
    expected = {
        "payoff": mean("train", "payoff"),
        "robustness": mean("held_out", "payoff"),
        "pool_exploitability": np.mean(np.clip(gaps, 0, None)),
        "pool_exploitability_unclipped": np.mean(gaps),
        "held_out_exploitability": np.mean(np.clip(held_out, 0, None)),
    }
    for name, value in expected.items():
        assert found.agent.estimates[name].value == pytest.approx(value), name
        assert found.agent.estimates[name].n == (300 if which == "sampled" else 1)
    index = 1.5 * expected["payoff"] - 1.5 * 1.5 * expected["held_out_exploitability"]  # Kuhn poker has no hazards
    assert found.agent.estimates["sepo_index"].value == pytest.approx(index)
    assert [(row.pool, row.opponent) for row in found.agent.opponents] == [(pool, o.name) for pool, o in POOLS.all()]


def test_the_policy_table_says_where_play_must_lie_in_equilibrium(found):
    rows = {(row.seat, row.state): row for row in found.agent.states}
    assert len(rows) == 12
    jack = rows[0, "J to open"]
    assert jack.actions == ("check", "bet")
    assert jack.nash_low == pytest.approx([2 / 3, 0])
    assert jack.nash_high == pytest.approx([1, 1 / 3])
    for row in found.agent.states:
        assert sum(row.probabilities) + row.outside == pytest.approx(1, abs=1e-6)


def cards(episodes):
    """What both seats were dealt, by opponent, agent's seat and deal."""
    dealt = {}
    for episode in episodes:
        seat = episode.policies.index("agent")
        key = (episode.policies[1 - seat], seat, episode.deal)
        seen = {e.player: e.value for d in episode.decisions for e in d.information_state if e.kind == "card"}
        dealt[key] = {**dealt.get(key, {}), **seen}
    return dealt


def test_two_agents_meet_the_same_cards_and_another_seed_deals_others(found):
    other = audited(Speaker(MANIAC), GAME, AuditSettings(deals=300, seed=5))
    ours, theirs = cards(found.episodes), cards(other.episodes)
    assert ours.keys() == theirs.keys()
    assert len(ours) == 9 * 2 * 300
    for key, hand in ours.items():
        for seat in hand.keys() & theirs[key].keys():
            assert hand[seat] == theirs[key][seat]
    elsewhere = cards(audited(Speaker(MANIAC), GAME, AuditSettings(deals=300, seed=6)).episodes)
    same = [theirs[key] == elsewhere[key] for key in theirs]
    assert np.mean(same) < 0.6


def test_on_one_deal_every_opponent_and_both_seats_see_the_same_cards(found):
    by_deal = {}
    for (_, _, deal), hand in cards(found.episodes).items():
        for seat, card in hand.items():
            by_deal.setdefault((deal, seat), set()).add(card)
    assert all(len(values) == 1 for values in by_deal.values())
    counts = Counter(value for values in by_deal.values() for value in values)
    assert min(counts.values()) > 0.25 * sum(counts.values())


def test_the_same_settings_give_the_same_audit(agent):
    first, second = (audited(agent, GAME, AuditSettings(deals=6)) for _ in range(2))
    assert first.episodes == second.episodes
    assert first.agent.estimates == second.agent.estimates


@pytest.mark.parametrize("rule", FAULT_RULES)
def test_every_fault_rule_can_be_audited_and_leaves_the_exact_figures(random_model, tokenizer, rule):
    policy = LanguageModelPolicy("agent", random_model, tokenizer)
    found = audited(policy, GAME, AuditSettings(deals=3, fault_rule=rule))
    assert found.agent.estimates["fault_rate"].value > 0.9
    plain = audited(policy, GAME, AuditSettings(deals=1))
    assert found.agent.estimates["nash_conv"] == plain.agent.estimates["nash_conv"]
    forfeits = [d for e in found.episodes for d in e.decisions if d.action is None]
    assert bool(forfeits) == (rule in ("forfeit", "resample"))


def test_one_deal_gives_no_interval():
    found = audited(Speaker(UNIFORM), GAME, AuditSettings(deals=1, exact=False))
    for name in ("payoff", "robustness", "pool_exploitability", "pool_exploitability_unclipped", "fault_rate"):
        estimate = found.agent.estimates[name]
        assert estimate.n == 1
        assert math.isnan(estimate.low)
        assert math.isnan(estimate.high)


def test_an_audit_of_no_deals_is_refused():
    with pytest.raises(ValueError, match="allowed: 1 to"):
        AuditSettings(deals=0)


# Six hands


@pytest.fixture(scope="module")
def six(agent):
    """The model's audit in six hands."""
    return audited(agent, KuhnPoker(hands=6), AuditSettings(deals=2))


def test_exact_figures_of_six_hands_are_those_of_the_rounds_they_name(agent, six):
    game = KuhnPoker(hands=6)
    assert six.agent.estimates["exact_rounds"].value == covered_rounds(game, None) == 2
    tree = GameTree(FirstRounds(game, 2))
    legal = [renormalised(seat) for seat in policy_table(agent, game, tree)]
    assert six.agent.estimates["nash_conv"].value == pytest.approx(nash_conv(tree, legal) / 2, abs=1e-6)
    assert max(abs(expected_returns(tree, legal))) <= 4
    assert len(six.agent.states) == 12  # the first hand's states alone are shown
    first = audited(agent, game, AuditSettings(deals=1, exact_rounds=1))
    tree = GameTree(FirstRounds(game))
    legal = [renormalised(seat) for seat in policy_table(agent, game, tree)]
    assert first.agent.estimates["nash_conv"].value == nash_conv(tree, legal)
    assert any("the first round of 6" in note for note in first.agent.notes)


def test_a_player_without_memory_has_no_spread_over_contexts():
    game, speaker = KuhnPoker(hands=6), Speaker(nash(1 / 6))
    found = audited(speaker, game, AuditSettings(deals=10))
    assert list(found.agent.spread) == context_spread(speaker, "agent", game, found.episodes, 0)
    rows = {row.state: row for row in found.agent.spread}
    assert len(rows) == 12
    for row in rows.values():
        assert row.sd == pytest.approx(0, abs=1e-12)
        assert row.low == pytest.approx(row.mean) == pytest.approx(row.high)
    assert rows["J to open"].mean == pytest.approx(1 / 6)
    assert rows["K after check"].mean == pytest.approx(1)
    assert sum(row.contexts for row in found.agent.spread) == audit_exact.MAX_CONTEXTS


def test_a_model_s_decisions_vary_with_what_went_before(six):
    assert {row.state for row in six.agent.spread} == {row.state for row in six.agent.states}
    assert max(row.sd for row in six.agent.spread) > 0.01
    for row in six.agent.spread:
        assert 0 <= row.low <= row.mean <= row.high <= 1
        assert row.contexts >= 1
        assert row.sd <= (row.high - row.low) / 2 + 1e-9


def test_one_hand_has_no_contexts(found):
    assert found.agent.spread == ()


# Conversations


def test_a_conversation_marks_every_fault_and_no_other_reply():
    game = KuhnPoker(hands=6)
    found = audited(Speaker(UNIFORM, 0.3), game, AuditSettings(deals=3))
    marked = 0
    for episode in found.episodes:
        shown = conversation(game, episode, "agent", "terse")
        seat = episode.policies.index("agent")
        assert (shown.seat, shown.opponent) == (seat, episode.policies[1 - seat])
        assert shown.returns == tuple(episode.returns)
        replies = [m for m in shown.messages if m.side == "said"]
        assert [m.text for m in replies] == [d.reply.text for d in episode.of(seat)]
        assert [m.fault for m in replies] == ["" if d.fault is None else d.fault.kind for d in episode.of(seat)]
        assert {m.text for m in replies if m.fault} <= {"hmm"}
        assert "hmm" not in {m.text for m in replies if not m.fault}
        marked += sum(bool(m.fault) for m in replies)
    assert marked > 20
    assert found.agent.rules == render_rules(game)


def test_a_conversation_shows_word_for_word_what_the_model_was_shown(new_model, tokenizer, six):
    noisy = LanguageModelPolicy("agent", new_model(seed=1), tokenizer)
    game = KuhnPoker(hands=6)
    faulty = audited(noisy, game, AuditSettings(deals=1))
    assert faulty.agent.estimates["fault_rate"].value > 0.5
    for episode in [*faulty.episodes, *six.episodes[::10]]:
        shown = conversation(game, episode, "agent", "terse").messages
        decisions = episode.of(episode.policies.index("agent"))
        asked = [message.text for message in shown if message.side == "seen"]
        for decision, text in zip(decisions, asked, strict=True):
            prompt = tokenizer.decode(list(decision.reply.tokens.prompt))
            assert prompt.partition("<|see|>")[2] == f"{text}<|say|>"


def test_a_conversation_shows_the_other_player_s_fault_that_cost_the_round():
    first, other = Speaker(lambda state, legal: {legal[0]: 1.0}), Speaker(UNIFORM, faults=1.0)
    other.name = "other"
    game = make_game("prisoners_dilemma", rounds=3)
    (episode,) = rollout(game, {"agent": first, "other": other}, [Match(("agent", "other"), 0)], seed=0)
    seen = [m.text for m in conversation(game, episode, "agent", "terse").messages if m.side == "seen"]
    assert ["The other player forfeits the round." in text for text in seen] == [False, True, True]


def test_an_audit_keeps_conversations_faulty_ones_first():
    found = audited(Speaker(UNIFORM, 0.05), GAME, AuditSettings(deals=20, conversations=4))
    assert len(found.agent.conversations) == 4
    assert found.agent.played == len(found.episodes) > 4
    assert any(message.fault for message in found.agent.conversations[0].messages)


# Seeds


@pytest.mark.parametrize("seed", [0, 1])
def test_audits_and_training_share_no_random_numbers(agent, monkeypatch, tmp_path, seed):
    keys = {"train": [], "audit": []}

    def spying(kind, rollout):
        def watched(*arguments, seed, **settings):
            keys[kind].append(seed)
            return rollout(*arguments, seed=seed, **settings)

        return watched

    monkeypatch.setattr(experience, "play_together", spying("train", experience.play_together))
    monkeypatch.setattr(demonstrations, "rollout", spying("train", demonstrations.rollout))
    monkeypatch.setattr(audit_play, "rollout", spying("audit", audit_play.rollout))
    small = {"play": {"rollouts": 2}, "rl": {"steps": 2}, "sft": {"steps": 1}, "seed": seed}
    train(parse_recipe({**small, "demonstrations": {"experts": {"tight": 1.0}, "episodes": 5}}), tmp_path / "r")
    audited(agent, GAME, AuditSettings(deals=1, seed=seed))
    assert len(keys["train"]) == 3
    assert {key.root for kind in keys.values() for key in kind} == {seed}
    assert {key.path[0] for key in keys["audit"]} == {Use.AUDIT}
    assert {key.path[0] for key in keys["train"]} == {Use.DEMONSTRATIONS, Use.STEP}


# What an audit may lack, and what it refuses

EXACT = {"worst_case_advantage", "max_state_fault", "mean_state_fault", "exact_rounds", "security_level"} | {
    *("security_gap", "maximin_value", "commitment_value", "commitment_value_weak", "harm_1", "harm_2", "harm_4"),
    *("theft", "self_play_regret", "deviator_gain"),
}


def test_a_model_that_reasons_first_has_no_exact_figures_and_the_audit_says_so(embedded):
    policy = LanguageModelPolicy("agent", *embedded, Sampling(reasoning="brief", max_new_tokens=4))
    found = audited(policy, GAME, AuditSettings(deals=1))
    assert not found.agent.estimates.keys() & (EXACT | {"nash_conv"})
    assert found.agent.states == ()
    assert any(note.startswith("No exact figures") for note in found.agent.notes)
    assert found.agent.rules == render_rules(GAME, "brief") != render_rules(GAME)


def test_exact_figures_can_be_left_out():
    found = audited(Speaker(UNIFORM), GAME, AuditSettings(deals=2, exact=False))
    assert not found.agent.estimates.keys() & (EXACT | {"nash_conv", "regret"})
    assert (found.agent.states, found.agent.notes) == ((), ())


def test_a_script_s_figures_are_those_of_the_same_moves_in_words():
    settings = AuditSettings(deals=2)
    script = Opponent("agent", nash(1 / 6), True, "Kuhn")
    spoken, played = audited(Speaker(nash(1 / 6)), GAME, settings), audited(ScriptedPolicy(script), GAME, settings)
    for name in ("nash_conv", "worst_case_advantage", "nash_conv_fault_aware"):
        assert spoken.agent.estimates[name].value == pytest.approx(played.agent.estimates[name].value)
    replies = {m.text for talk in played.agent.conversations for m in talk.messages if m.side == "said"}
    assert replies <= {"check", "bet", "fold", "call"}


def test_an_agent_with_an_opponent_s_name_is_refused():
    with pytest.raises(ValueError, match="like one of its opponents"):
        audited(ScriptedPolicy(POOLS.find("nash")), GAME, AuditSettings(deals=1))


@pytest.mark.parametrize(("setting", "value"), [("exact_rounds", 0), ("learned_episodes", -1), ("seed", -1)])
def test_settings_that_mean_nothing_are_refused(setting, value):
    with pytest.raises(ValueError, match=str(value)):
        AuditSettings(**{setting: value})


def test_only_what_gives_probabilities_is_scored(agent):
    assert scored(agent) is agent
    assert scored(ScriptedPolicy(POOLS.find("nash"))) is not None

    class Sampled(Speaker):
        action_probabilities = None

    assert scored(Sampled(UNIFORM)) is None
