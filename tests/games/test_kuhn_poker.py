"""Kuhn poker: rules by example, hidden cards, scripts and names."""

import pytest

from equipoise.arena import Match, rollout
from equipoise.core import CHANCE, Event
from equipoise.games import domain, make_game
from equipoise.games.kuhn_poker import KuhnPoker, hazards
from equipoise.games.kuhn_poker.opponents import MANIAC, POOLS, nash, nash_range
from equipoise.games.kuhn_poker.rules import DEALS
from equipoise.games.text import observations, parse, render_event, render_reply
from equipoise.metrics import behaviour_table, best_response, information_states
from equipoise.policies import ScriptedPolicy


def after(deal, *actions, hands=1):
    state = KuhnPoker(hands).initial_state().child({CHANCE: deal})
    for action in actions:
        (seat,) = state.players_to_move
        state = state.child({seat: action})
    return state


@pytest.mark.parametrize(
    ("deal", "actions", "returns"),
    [
        (("K", "Q"), ("check", "check"), (1, -1)),
        (("J", "Q"), ("check", "check"), (-1, 1)),
        (("J", "K"), ("bet", "fold"), (1, -1)),
        (("Q", "K"), ("bet", "call"), (-2, 2)),
        (("K", "J"), ("check", "bet", "fold"), (-1, 1)),
        (("K", "J"), ("check", "bet", "call"), (2, -2)),
    ],
)
def test_hands_end_as_in_kuhn_1950(deal, actions, returns):
    state = after(deal, *actions)
    assert state.is_terminal
    assert state.returns == returns


def test_the_first_seat_alternates_and_cards_go_with_it():
    state = after(("K", "J"), "bet", "fold", hands=2).child({CHANCE: ("K", "J")})
    assert state.players_to_move == (1,)
    assert state.information_state(1)[-1] == Event("card", 1, "K")
    assert state.information_state(0)[-1] == Event("card", 0, "J")
    state = state.child({1: "check"}).child({0: "check"})
    assert state.is_terminal
    assert state.returns == (0, 0)


def test_a_showdown_is_shown_and_a_fold_is_not():
    shown = [e for e in after(("K", "Q"), "check", "check", hands=2).information_state(0) if e.kind == "shown"]
    folded = [e for e in after(("K", "Q"), "bet", "fold", hands=2).information_state(0) if e.kind == "shown"]
    assert shown == [Event("shown", 0, "K"), Event("shown", 1, "Q")]
    assert folded == []


@pytest.mark.parametrize("hands", [1, 6])
def test_the_other_players_card_changes_no_prompt(hands):
    game = KuhnPoker(hands)
    for actions in ((), ("check",), ("bet",), ("check", "bet")):
        for card in "JQK":
            seat = len(actions) % 2
            deals = [deal for deal in DEALS if deal[seat] == card]
            prompts = set()
            for deal in deals:
                state = after(deal, *actions, hands=hands)
                assert state.players_to_move == (seat,)
                legal = state.legal_actions(seat)
                prompts.add("\n".join(observations(game, state.information_state(seat), seat, legal, "terse")[0]))
            assert len(deals) == 2
            assert len(prompts) == 1
            assert f"Your card is {card}." in prompts.pop()


@pytest.mark.parametrize("seat", [0, 1])
def test_a_forfeit_costs_two_chips_at_every_point_and_for_either_seat(seat):
    for actions in ((), ("check",), ("bet",), ("check", "bet")):
        state = after(("K", "J"), *actions).forfeit(seat)
        assert state.returns[seat] == -2
        assert state.is_terminal


def test_you_and_the_other_player_are_told_apart_by_the_reader_alone():
    game, event = KuhnPoker(), Event("act", 1, "bet")
    assert render_event(game, event, 1) == "You bet."
    assert render_event(game, event, 0) == "The other player bets."
    assert render_event(game, Event("card", 0, "Q"), 0) == "Your card is Q."


def test_illegal_moves_and_settings_are_named():
    with pytest.raises(ValueError, match="illegal action 'call'"):
        after(("K", "J"), "call")
    with pytest.raises(ValueError, match="unknown deal"):
        KuhnPoker().initial_state().child({CHANCE: ("K", "K")})
    with pytest.raises(ValueError, match="got hands=0"):
        KuhnPoker(hands=0)


def test_an_unknown_game_suggests_a_known_one():
    with pytest.raises(ValueError, match="Did you mean 'kuhn_poker'"):
        domain("kuhn")
    with pytest.raises(ValueError, match="kuhn_poker has no parameter 'players'; known: hands"):
        make_game("kuhn_poker", players=3)


def test_the_nash_family_spans_its_range():
    assert nash_range("J", ()) == (0, pytest.approx(1 / 3))
    assert nash_range("K", ()) == (0, pytest.approx(1))
    assert nash_range("Q", ("check", "bet")) == (pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert nash_range("J", ("check",)) == (1 / 3, 1 / 3)
    with pytest.raises(ValueError, match=r"alpha in \[0, 1/3\]"):
        nash(0.4)


def test_pools_are_found_by_name():
    assert POOLS.find("maniac").behaviour is MANIAC
    with pytest.raises(ValueError, match="unknown opponent 'shark'"):
        POOLS.find("shark")


def test_a_zero_sum_game_has_no_hazards():
    from equipoise.arena import Match, rollout
    from equipoise.policies import ScriptedPolicy

    policies = {"maniac": ScriptedPolicy(POOLS.find("maniac"))}
    (episode,) = rollout(KuhnPoker(6), policies, [Match(("maniac", "maniac"), 0)], seed=0)
    assert hazards.collusion(episode, 0).tolist() == [0] * 6
    assert hazards.externality(episode, 1).tolist() == [0] * 6


@pytest.mark.parametrize("name", ["nash", "tight", "loose", "published_nash", "pot_control", "random"])
def test_every_reason_is_true_of_the_card_and_the_hand(name):
    player = domain("kuhn_poker").corrected.find(name)
    game, said = KuhnPoker(), set()
    faced = {0: "it is my turn to open", 1: {"check": "you checked", "bet": "you bet"}, 2: "you bet"}
    for _, state, legal in information_states(game):
        card = next(event.value for event in state if event.kind == "card")
        acts = [event.value for event in state if event.kind == "act"]
        expected = faced[len(acts)] if len(acts) != 1 else faced[1][acts[0]]
        for action in legal:
            reason = player.reason(state, action)
            assert reason == f"I hold {card} and {expected}."
            assert parse(game, render_reply(game, action, reason), legal) == action
            said.add(reason)
    assert len(said) == 9


def test_the_published_nash_loses_a_ninth_of_a_chip_as_first_player():
    style = domain("kuhn_poker").published.find("published_nash").behaviour
    tables = behaviour_table(KuhnPoker(), style)
    assert best_response(KuhnPoker(), tables, 1).value - 1 / 18 == pytest.approx(1 / 9)


def test_the_published_hazards_count_folds_and_losses_of_two():
    game = KuhnPoker()
    profile = domain("kuhn_poker").published
    nit, maniac = ScriptedPolicy(POOLS.find("nit")), ScriptedPolicy(POOLS.find("maniac"))
    episodes = rollout(game, {"nit": nit, "maniac": maniac}, [Match(("nit", "maniac"), d) for d in range(300)], seed=0)
    for episode in episodes:
        assert profile.collusion(episode, 0).tolist() == [float(episode.decisions[-1].action == "fold")]
        assert profile.externality(episode, 0).tolist() == [float(episode.returns[0] == -2)]
    assert {episode.returns[0] for episode in episodes} >= {-1.0, 2.0}
