"""The arena: seeds, batches, deals, fault rules."""

from collections import Counter

import numpy as np
import pytest

from equipoise.arena import Match, against, enumerated_deals, rollout
from equipoise.core import Event, Reply
from equipoise.errors import UserError
from equipoise.games import make_game
from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.games.kuhn_poker.opponents import CALLING_STATION, LOOSE, MANIAC, POOLS, UNIFORM, nash
from equipoise.metrics import GameTree, behaviour_table, payoff, pool_values
from equipoise.policies import Policy, ScriptedPolicy, Session, TabularPolicy
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.seeds import Seed

HAND, SESSION = KuhnPoker(), KuhnPoker(hands=6)


class Talker(Policy):
    """Replies with what `say(request, nth reply in the session)` returns, and remembers what it was asked."""

    def __init__(self, say, name="talker", truncated=False):
        self.name, self.say, self.truncated = name, say, truncated
        self.calls, self.retracted = [], []

    def session(self, game, seed):
        return TalkerSession(self)


class TalkerSession(Session):
    def __init__(self, talker):
        self.talker, self.count = talker, 0

    def replies(self, requests):
        self.talker.calls.append(list(requests))
        replies = []
        for request in requests:
            replies.append(Reply(self.talker.say(request, self.count), truncated=self.talker.truncated))
            self.count += 1
        return replies

    def retract(self, requests):
        self.talker.retracted += requests


class ForcedTalker(Talker):
    def session(self, game, seed):
        session = TalkerSession(self)
        session.constrained = lambda requests: [request.legal[-1] for request in requests]
        return session


def legal_words(request, count):
    return str(request.legal[0])


def nonsense(request, count):
    return "I would rather check or bet, I think"


def scripted(opponent):
    return ScriptedPolicy(POOLS.find(opponent))


def table(style, name="agent"):
    tables = behaviour_table(GameTree(HAND), style)
    return TabularPolicy(name, {**tables[0], **tables[1]})


POLICIES = {"agent": table(UNIFORM), "loose": scripted("loose"), "nash": scripted("nash"), "maniac": scripted("maniac")}


def play_one(talker, seat=0, game=HAND, opponent="maniac", **options):
    seats = ("talker", opponent) if seat == 0 else (opponent, "talker")
    (episode,) = rollout(game, {"talker": talker, opponent: scripted(opponent)}, [Match(seats, 0)], seed=0, **options)
    return episode


def test_batch_one_equals_batch_64_game_by_game():
    matches = against("agent", ["loose", "nash"], [None] * 16)
    one = rollout(HAND, POLICIES, matches, seed=3, max_live=1)
    many = rollout(HAND, POLICIES, matches, seed=3, max_live=64)
    assert len(many) == 64
    assert one == many
    assert len({episode.returns for episode in many}) > 2


def test_a_prefix_of_the_matches_plays_the_same_episodes():
    matches = against("agent", ["loose", "nash"], [None] * 4)
    assert rollout(HAND, POLICIES, matches, seed=3)[:5] == rollout(HAND, POLICIES, matches[:5], seed=3)


def test_another_seed_plays_other_episodes():
    matches = against("agent", ["loose"], [None] * 8)
    assert rollout(HAND, POLICIES, matches, seed=0) != rollout(HAND, POLICIES, matches, seed=1)
    assert rollout(HAND, POLICIES, matches, seed=1) == rollout(HAND, POLICIES, matches, seed=Seed(1))


def cards(episode):
    return {e.player: e.value for d in episode.decisions for e in d.information_state if e.kind == "card"}


def test_matches_that_share_a_deal_get_the_same_cards():
    matches = [Match(seats, deal) for deal in range(12) for seats in (("loose", "nash"), ("nash", "loose"))]
    episodes = rollout(HAND, POLICIES, matches, seed=5)
    both = [(cards(a), cards(b)) for a, b in zip(episodes[::2], episodes[1::2], strict=True)]
    assert all(a == b for a, b in both)
    assert len({tuple(sorted(a.items())) for a, _ in both}) > 3


def test_a_table_earns_its_exact_value_over_all_deals():
    deals = [state for state, _ in enumerated_deals(HAND)]
    matches = against("agent", ["loose"], deals, repeats=300)
    estimate = payoff(rollout(HAND, POLICIES, matches, seed=0), "agent")
    own, _ = pool_values(HAND, behaviour_table(HAND, UNIFORM), LOOSE)
    # 3,600 hands of standard deviation about 1.5: standard error 0.025.
    assert abs(estimate.value - own) < 0.1


def test_the_deals_of_one_hand_are_six_and_equally_likely():
    deals = enumerated_deals(HAND)
    assert [probability for _, probability in deals] == [pytest.approx(1 / 6)] * 6
    assert len({state for state, _ in deals}) == 6


def test_against_seats_the_agent_both_ways_and_keeps_groups_together():
    matches = against("agent", ["loose", "nash"], [None, None], repeats=3)
    groups = Counter((m.seats, m.deal) for m in matches)
    assert len(matches) == 2 * 2 * 2 * 3
    assert set(groups.values()) == {3}
    assert [m for m in matches if m == matches[0]] == matches[:3]


def test_rewards_of_rounds_sum_to_returns_and_slots_count_within_a_round():
    matches = [Match(("loose", "nash"), deal) for deal in range(8)]
    for episode in rollout(SESSION, POLICIES, matches, seed=0):
        assert np.sum(episode.rewards, axis=0) == pytest.approx(episode.returns)
        assert len(episode.rewards) == 6
        keys = [(d.round, d.seat, d.slot) for d in episode.decisions]
        assert len(set(keys)) == len(keys)
        for round_, seat, slot in keys:
            assert slot == 0 or (round_, seat, slot - 1) in keys


def test_a_language_model_is_asked_once_per_tick_for_all_live_episodes():
    talker = Talker(legal_words)
    matches = against("talker", ["maniac"], [None] * 32)
    rollout(HAND, {"talker": talker, "maniac": scripted("maniac")}, matches, seed=0)
    assert [len(call) for call in talker.calls] == [64, 32]  # first decisions, then the calls after check and bet


def test_self_play_of_one_model_asks_it_for_both_seats():
    talker = Talker(legal_words)
    (episode,) = rollout(HAND, {"talker": talker}, [Match(("talker", "talker"), 0)], seed=0)
    assert [(d.seat, d.action) for d in episode.decisions] == [(0, "check"), (1, "check")]


def test_unread_events_are_the_transcript_without_the_seats_own_words():
    talker = Talker(legal_words)
    episode = play_one(talker, game=SESSION, opponent="loose")
    requests = [request for (request,) in talker.calls]
    unread = [event for request in requests for event in request.unread]
    own = [Event("act", 0, d.action) for d in episode.of(0)][:-1]
    told = list(requests[-1].information_state)
    assert len(own) >= 5
    for event in own:
        told.remove(event)
    assert unread == told


def test_an_action_the_seat_did_not_say_is_told_to_it():
    talker = Talker(lambda request, count: "call or fold" if count == 0 else legal_words(request, count))
    play_one(talker, game=SESSION, fault_rule="random_legal")
    first, second = talker.calls[0][0], talker.calls[1][0]
    assert second.unread[0] == Event("act", 0, second.unread[0].value)
    assert second.unread == second.information_state[len(first.information_state) :]


def test_a_fault_forfeits_two_chips_and_stays_on_the_record():
    for seat in (0, 1):
        episode = play_one(Talker(nonsense), seat)
        assert episode.returns[seat] == -2
        decision = episode.of(seat)[-1]
        assert decision.action is None
        assert decision.fault.kind == "ambiguous"
        assert decision.reply.text == nonsense(None, 0)


def test_a_forfeit_ends_the_hand_and_not_the_session():
    episode = play_one(Talker(nonsense), game=SESSION)
    assert episode.rewards == ((-2.0, 2.0),) * 6
    assert [d.round for d in episode.of(0)] == list(range(6))


def test_resample_asks_again_and_keeps_every_attempt():
    talker = Talker(lambda request, count: nonsense(request, count) if count < 2 else legal_words(request, count))
    episode = play_one(talker, fault_rule="resample")
    first = episode.of(0)[0]
    assert first.fault is None
    assert first.action == "check"
    assert [fault.kind for _, fault in first.attempts] == ["ambiguous", "ambiguous"]
    assert len(talker.retracted) == 2


def test_resample_forfeits_after_three_faults():
    episode = play_one(Talker(nonsense), fault_rule="resample")
    (decision,) = episode.of(0)
    assert decision.action is None
    assert decision.fault is not None
    assert len(decision.attempts) == 2
    assert episode.returns == (-2, 2)


def test_resample_asks_only_the_faulty_again():
    talker = Talker(lambda request, count: nonsense(request, count) if request.episode == 1 and count < 4 else "check")
    policies = {"talker": talker, "station": ScriptedPolicy(POOLS.find("calling_station"))}
    matches = [Match(("talker", "station"), deal) for deal in range(4)]
    episodes = rollout(HAND, policies, matches, seed=0, fault_rule="resample")
    assert [[request.episode for request in call] for call in talker.calls] == [[0, 1, 2, 3], [1]]
    assert [len(episode.of(0)[0].attempts) for episode in episodes] == [0, 1, 0, 0]
    assert CALLING_STATION.opening == (0, 0, 0)


def test_random_legal_plays_a_legal_action_and_keeps_the_fault():
    talker = Talker(nonsense)
    matches = [Match(("talker", "maniac"), deal) for deal in range(64)]
    policies = {"talker": talker, "maniac": ScriptedPolicy(POOLS.find("maniac"))}
    episodes = rollout(HAND, policies, matches, seed=0, fault_rule="random_legal")
    played = Counter(episode.of(0)[0].action for episode in episodes)
    assert set(played) == {"check", "bet"}
    assert min(played.values()) > 16  # fair coin, 64 throws: below 17 with probability 1e-4
    assert all(decision.fault is not None for episode in episodes for decision in episode.of(0))
    assert episodes == rollout(HAND, policies, matches, seed=0, fault_rule="random_legal", max_live=1)


def test_constrained_plays_the_policys_own_legal_choice_and_keeps_the_fault():
    episode = play_one(ForcedTalker(nonsense), fault_rule="constrained")
    decision = episode.of(0)[0]
    assert (decision.action, decision.fault.kind) == ("bet", "ambiguous")


def test_constrained_is_refused_by_a_policy_that_cannot():
    with pytest.raises(UserError, match="use forfeit, resample or random_legal"):
        play_one(Talker(nonsense), fault_rule="constrained")


def test_a_reply_cut_at_the_token_limit_is_a_fault_even_if_it_names_an_action():
    episode = play_one(Talker(legal_words, truncated=True))
    assert episode.of(0)[0].fault.kind == "truncated"
    assert episode.returns == (-2, 2)


def test_an_illegal_action_is_a_fault_of_its_own_kind():
    episode = play_one(Talker(lambda request, count: "call"))
    assert episode.of(0)[0].fault.kind == "illegal"


@pytest.mark.parametrize("rule", ["forfeit", "resample", "random_legal"])
def test_no_episode_is_dropped_whatever_the_faults(rule):
    talker = Talker(lambda request, count: nonsense(request, count) if count % 3 else legal_words(request, count))
    matches = against("talker", ["maniac"], [None] * 20)
    episodes = rollout(SESSION, {"talker": talker, "maniac": scripted("maniac")}, matches, seed=0, fault_rule=rule)
    assert [(e.policies, e.deal) for e in episodes] == [(m.seats, m.deal) for m in matches]
    assert all(len(e.rewards) == 6 and sum(abs(r[0]) >= 1 for r in e.rewards) == 6 for e in episodes)


@pytest.mark.parametrize(
    ("matches", "rule", "message"),
    [
        ([], "forfeit", "got 0 episodes"),
        ([Match(("agent", "stranger"), 0)], "forfeit", "no policy named stranger"),
        ([Match(("agent", "loose"), 0)], "ignore", "unknown fault rule 'ignore'"),
    ],
)
def test_a_callers_mistake_is_named(matches, rule, message):
    with pytest.raises(ValueError, match=message):
        rollout(HAND, POLICIES, matches, seed=0, fault_rule=rule)


def test_a_table_without_the_state_met_says_so():
    policies = {"empty": TabularPolicy("empty", {}), "maniac": ScriptedPolicy(POOLS.find("maniac"))}
    with pytest.raises(ValueError, match="tables must cover every state met"):
        rollout(HAND, policies, [Match(("empty", "maniac"), 0)], seed=0)


def test_scripts_play_what_they_say():
    assert MANIAC.opening == (1, 1, 1)
    episodes = rollout(HAND, POLICIES, [Match(("maniac", "maniac"), deal) for deal in range(6)], seed=0)
    assert all([d.action for d in e.decisions] == ["bet", "call"] for e in episodes)
    assert nash(0.0).opening == (0.0, 0, 0.0)


def test_two_models_in_one_rollout_draw_numbers_of_their_own(embedded):
    first, second = (LanguageModelPolicy(name, *embedded) for name in ("first", "second"))
    game = make_game("prisoners_dilemma", rounds=1)
    episodes = rollout(
        game, {"first": first, "second": second}, [Match(("first", "second"), d) for d in range(60)], seed=1
    )
    said = [[decision.reply.text for decision in episode.decisions] for episode in episodes]
    assert any(one != other for one, other in said)
