"""The learned adversary finds what the exact one finds, and never claims more on fresh episodes."""

import json
import math

import pytest

from equipoise.arena import Match, rollout
from equipoise.core import CHANCE, Episode, Opponent
from equipoise.games import domain, make_game
from equipoise.games.free_text import SILENCE
from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.games.kuhn_poker.opponents import POOLS as KUHN
from equipoise.metrics import GameTree, behaviour_table, clustered_mean, mean_worst_case_advantage
from equipoise.metrics.learned import LearnedTable, explorer, learned_response, mixing, recent
from equipoise.policies import ScriptedPolicy

DILEMMA, SPLIT, HAND = make_game("prisoners_dilemma", rounds=4), make_game("split", rounds=2), KuhnPoker()
TREES = {game.name: GameTree(game) for game in (DILEMMA, SPLIT, HAND)}


def play(game, agent, opponent, episodes, seed):
    policies = {"agent": ScriptedPolicy(agent), "other": ScriptedPolicy(opponent)}
    seats = [("agent", "other"), ("other", "agent")]
    return rollout(game, policies, [Match(seats[i % 2], i // 2) for i in range(episodes)], seed=seed)


def lead(episodes):
    """E[theirs - own] per episode, an Estimate."""
    scores = [e.returns[1 - (s := e.policies.index("agent"))] - e.returns[s] for e in episodes]
    return clustered_mean(scores, [e.deal for e in episodes])


def exact(game, agent):
    tree = TREES[game.name]
    return mean_worst_case_advantage(tree, behaviour_table(tree, agent.behaviour))


CASES = [
    *(
        (DILEMMA, domain("prisoners_dilemma").pools.find(n))
        for n in ("always_cooperate", "tit_for_tat", "grim", "coin")
    ),
    *((SPLIT, domain("split").pools.find(n)) for n in ("fair", "generous", "conceder", "selfish")),
    *((HAND, KUHN.find(n)) for n in ("always_pass", "maniac", "nit", "tight", "bluffer")),
]


@pytest.mark.parametrize(("game", "agent"), CASES, ids=[f"{g.name}-{o.name}" for g, o in CASES])
def test_on_fresh_episodes_it_takes_most_of_the_exact_worst_case_and_no_more(game, agent):
    seen = play(game, agent, explorer(game), 800, seed=1)
    fresh = lead(play(game, agent, learned_response(game, seen, "agent"), 1_000, seed=2))
    worst = exact(game, agent)
    noise = 0.0 if math.isnan(fresh.high) else 4 / 1.96 * (fresh.high - fresh.value)  # NaN: all deals agree
    assert fresh.value <= worst + noise + 1e-9
    assert fresh.value >= 0.8 * worst - noise - 1e-9


def test_against_a_cooperator_it_always_defects():
    agent = domain("prisoners_dilemma").pools.find("always_cooperate")
    response = learned_response(DILEMMA, play(DILEMMA, agent, explorer(DILEMMA), 400, seed=1), "agent")
    episodes = play(DILEMMA, agent, response, 20, seed=2)
    assert lead(episodes).value == 5 * DILEMMA.num_rounds
    assert {d.action for e in episodes for d in e.decisions if e.policies[d.seat] == "other"} == {DILEMMA.actions[1]}


def test_a_second_look_with_exploration_does_not_take_less():
    agent = domain("prisoners_dilemma").pools.find("tit_for_two_tats")
    seen = play(DILEMMA, agent, explorer(DILEMMA), 100, seed=1)
    first = learned_response(DILEMMA, seen, "agent")
    seen += play(DILEMMA, agent, mixing(first, 0.3), 400, seed=2)
    second = learned_response(DILEMMA, seen, "agent")
    taken = [lead(play(DILEMMA, agent, response, 20, seed=3)).value for response in (first, second)]
    assert taken[1] >= taken[0]
    assert taken[1] == pytest.approx(exact(DILEMMA, agent))


def test_pure_luck_is_not_taken_for_skill():
    # Few episodes of a coin in Kuhn poker: what the fit expects of itself is far above what it then takes.
    agent = KUHN.find("nash")
    seen = play(HAND, agent, explorer(HAND), 60, seed=4)
    fresh = lead(play(HAND, agent, learned_response(HAND, seen, "agent"), 2_000, seed=5))
    assert fresh.low <= exact(HAND, agent) + 1e-9


def test_the_table_survives_json_and_plays_the_same():
    agent = domain("split").pools.find("conceder")
    table = LearnedTable.fitted(SPLIT, play(SPLIT, agent, explorer(SPLIT), 100, seed=1), "agent")
    again = LearnedTable.from_json(SPLIT, json.loads(json.dumps(table.to_json())))
    assert again.levels == table.levels
    played = [play(SPLIT, agent, t.opponent(), 20, seed=2) for t in (table, again)]
    assert played[0] == played[1]


def test_the_same_episodes_in_another_order_teach_the_same_moves():
    agent = domain("split").pools.find("fair")
    seen = play(SPLIT, agent, explorer(SPLIT), 200, seed=1)
    responses = [learned_response(SPLIT, episodes, "agent") for episodes in (seen, seen[::-1])]
    assert play(SPLIT, agent, responses[0], 10, seed=2) == play(SPLIT, agent, responses[1], 10, seed=2)


def test_mixing_plays_uniformly_as_often_as_it_says():
    pure = Opponent("pure", lambda seen, legal: {legal[0]: 1.0}, False, "here")
    assert mixing(pure, 0.2).behaviour((), ("a", "b")) == pytest.approx({"a": 0.9, "b": 0.1})
    for wrong in (0.0, 1.5, float("nan")):
        with pytest.raises(ValueError, match="got exploration"):
            mixing(pure, wrong)


def test_recent_memories_tell_rounds_and_newest_events_apart_and_forget_older_ones():
    cooperate, defect = DILEMMA.actions
    views = {}
    for first in (cooperate, defect):
        state = DILEMMA.initial_state().child({0: first, 1: cooperate})
        assert recent(state.information_state(0)) not in views.values()
        state = state.child({0: cooperate, 1: cooperate})
        views[first] = recent(state.information_state(0))
    assert views[cooperate] == views[defect]


def test_a_state_that_was_never_met_is_answered_from_coarser_memories():
    agent = domain("prisoners_dilemma").pools.find("always_cooperate")
    response = learned_response(DILEMMA, play(DILEMMA, agent, explorer(DILEMMA), 400, seed=1), "agent")
    cooperate, defect = DILEMMA.actions
    betrayed = DILEMMA.initial_state().child({0: cooperate, 1: defect}).information_state(0)
    assert response.behaviour(betrayed, DILEMMA.actions) == {defect: 1.0}


TALK = make_game("trust_and_split", rounds=4)
SCRIPTS = domain("trust_and_split").corrected


def test_where_players_talk_the_explorer_and_the_response_are_silent_and_claim_what_they_may():
    agent = SCRIPTS.find("honest_cooperative")
    seen = play(TALK, agent, explorer(TALK), 100, seed=1)
    response = learned_response(TALK, seen, "agent")
    for episodes in (
        seen,
        play(TALK, agent, mixing(response, 0.3), 50, seed=2),
        play(TALK, agent, response, 50, seed=2),
    ):
        own = [d for e in episodes for d in e.decisions if e.policies[d.seat] == "other"]
        assert not any(d.fault for d in own)
        assert {d.action for d in own if d.slot == 0} == {SILENCE}
        assert {d.action for d in own if d.slot == 1} <= set(range(11))
    assert {d.action for e in seen for d in e.decisions if e.policies[d.seat] == "other"} == {SILENCE, *range(11)}


def test_a_silent_response_takes_most_of_what_silence_can_take():
    # Who hears nothing claims 5 of 10 coins. Claiming 10 leads by 2/3 of 100 - 1/3 of 10 with the upper hand and by
    # 2/3 of 10 - 1/3 of 100 with the lower: 110/6 a round on average, and no claim leads by more with either hand.
    agent, game = SCRIPTS.find("honest_cooperative"), make_game("trust_and_split", rounds=1)
    seen = play(game, agent, explorer(game), 4_000, seed=1)
    found = lead(play(game, agent, learned_response(game, seen, "agent"), 2_000, seed=2))
    assert found.value > 0.75 * 110 / 6
    assert found.low < 110 / 6


def test_words_are_not_listened_to():
    heard = []
    for words in ("I have rock.", "I have paper."):
        state = TALK.initial_state().child({CHANCE: 0}).child({CHANCE: ("rock", "paper")})
        heard.append(state.child({0: words}).information_state(1))
    assert heard[0] != heard[1]
    table = LearnedTable.fitted(TALK, play(TALK, SCRIPTS.find("liar"), explorer(TALK), 20, seed=1), "agent")
    again = LearnedTable.from_json(TALK, json.loads(json.dumps(table.to_json())))
    said = [table.opponent().behaviour(seen, TALK.actions[:1]) for seen in heard]
    assert said == [again.opponent().behaviour(seen, TALK.actions[:1]) for seen in heard]
    assert said[0] == said[1]
    assert not any("I have" in key or "My hand" in key for level in table.levels for key in level)


def test_episodes_without_the_agent_or_none_at_all_are_refused():
    with pytest.raises(ValueError, match="got no episodes to learn from"):
        learned_response(SPLIT, [], "agent")
    both = Episode("split", ("agent", "agent"), 0, (), (), (0.0, 0.0))
    with pytest.raises(ValueError, match="exactly one of two seats"):
        learned_response(SPLIT, [both], "agent")
