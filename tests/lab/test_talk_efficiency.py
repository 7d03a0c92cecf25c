"""What talk is worth to two agents: known answers, on the same hands with messages and without."""

import pytest

from equipoise.core import Reply
from equipoise.games import domain
from equipoise.games.trust_and_split.seen import current, finished
from equipoise.lab.talk_efficiency import efficiency_with_and_without_talk
from equipoise.policies import Policy, ScriptedPolicy, Session

PROFILE = domain("trust_and_split").corrected


def script(name):
    return ScriptedPolicy(PROFILE.find(name))


@pytest.mark.parametrize(
    ("first", "second", "with_talk", "without"),
    [
        # All coins to the upper hand: 100. Half each without a word: 5 x 10 + 5 x 1.
        ("honest_cooperative", "honest_cooperative", 1.0, 0.55),
        # Whoever concedes with the lower hand alone: (100 + 55) / 2; claims of 5 and 10 without a word: (40 + 70) / 2.
        ("honest_cooperative", "honest_greedy", 0.775, 0.55),
        ("honest_greedy", "liar", 0.55, 0.55),
    ],
)
def test_scripts_reach_what_their_claims_pay_with_messages_and_without(first, second, with_talk, without):
    agent = script(first)
    found = efficiency_with_and_without_talk(agent, agent if first == second else script(second), matches=10)
    assert found.with_talk.value == pytest.approx(with_talk)
    assert found.without_talk.value == pytest.approx(without)
    assert found.difference.value == pytest.approx(with_talk - without)
    # Each deal's two seatings mirror the hands, so all deals agree: the width is what the range still allows.
    assert found.difference.low < found.difference.value < found.difference.high
    assert found.difference.n == 10
    assert [share.value for share in found.faults] == [0.0, 0.0]


class Watcher(Policy):
    """Plays a script and notes the hand it is dealt in each round of each match, and who spoke first."""

    immediate = True

    def __init__(self, name):
        self.inner = script(name)
        self.name = name
        self.games = []

    def session(self, game, seed):
        self.games.append({})
        return _Watching(self.inner.session(game, seed), self.games[-1])


class _Watching(Session):
    def __init__(self, inner, hands):
        self.inner, self.hands = inner, hands

    def replies(self, requests):
        for r in requests:
            key = (r.episode, r.seat, len(finished(r.information_state)))
            self.hands[key] = current(r.information_state).hand
        return self.inner.replies(requests)


@pytest.mark.parametrize("parameters", [{}, {"hands": "alternating"}, {"stop": 0.3, "rounds": 6}])
def test_both_games_deal_the_same_hands_for_as_many_rounds(parameters):
    watcher = Watcher("random")
    efficiency_with_and_without_talk(watcher, script("honest_grim"), parameters, matches=12)
    talked, silent = watcher.games
    assert talked == silent
    assert len(set(talked.values())) == 3
    assert len({episode for episode, _, _ in talked}) == 24


class Mute(Policy):
    """Talks, and claims in words that are no number."""

    name = "mute"

    def session(self, game, seed):
        return _MuteSession()


class _MuteSession(Session):
    def replies(self, requests):
        return [Reply("hello there") for _ in requests]


def test_faults_stand_beside_both_efficiencies():
    found = efficiency_with_and_without_talk(Mute(), script("honest_cooperative"), matches=4)
    assert found.faults[0].value == pytest.approx(1 / 4)  # of two messages and two claims a round, one claim
    assert found.faults[1].value == pytest.approx(1 / 2)
    assert found.with_talk.value == pytest.approx(0.55)  # a forfeit leaves all coins to the other: 100 or 10


def test_a_caller_s_mistake_is_told_in_one_line():
    agent = script("honest_greedy")
    with pytest.raises(ValueError, match="two agents are named 'honest_greedy'"):
        efficiency_with_and_without_talk(agent, script("honest_greedy"))
    with pytest.raises(ValueError, match="got the parameter 'talk'; both games are played, so leave it out"):
        efficiency_with_and_without_talk(agent, agent, {"talk": False})
    with pytest.raises(ValueError, match="got 1 matches; an interval needs at least 2"):
        efficiency_with_and_without_talk(agent, agent, matches=1)
