"""Cross-play: known answers from scripts, common deals, dice of a pair's own, ties that are called ties."""

import itertools
import json
import shutil

import numpy as np
import pytest

from equipoise.core import Reply
from equipoise.files import as_json
from equipoise.games import domain, make_game
from equipoise.games.history import last_value
from equipoise.games.random_length import RandomLength
from equipoise.games.text import render_rules
from equipoise.lab import crossplay_agents
from equipoise.lab.crossplay import CrossplaySettings, crossplay, meetings_of, met, ordered_pairs, result_of
from equipoise.lab.crossplay_agents import agents_of, policy_of, scripts_of
from equipoise.lab.crossplay_meeting import Meeting, meeting_of
from equipoise.lab.crossplay_run import Tournament, key_of
from equipoise.lab.crossplay_table import crossplay_table
from equipoise.lab.results import CrossplayResult, load_result, result_json, save_result
from equipoise.lab.store import ValueCodec
from equipoise.lab.transcripts import transcript, transcripts
from equipoise.models import load
from equipoise.models.tiny import FOLDER
from equipoise.policies import Policy, ScriptedPolicy, Session

NAMES = ("tit_for_tat", "always_defect", "always_cooperate", "coin")


def plain(value):
    """A typed value as plain JSON, so that NaN equals NaN."""
    return as_json(value.model_dump(mode="python"))


def scripts(game, *names):
    return {name: ScriptedPolicy(domain(game.name).corrected.find(name)) for name in names}


@pytest.fixture(scope="module")
def dilemma():
    return make_game("prisoners_dilemma", rounds=10)


@pytest.fixture(scope="module")
def figures(dilemma):
    """A tournament of four scripts."""
    return crossplay(dilemma, scripts(dilemma, *NAMES), matches=128)


@pytest.mark.parametrize(
    ("agent", "opponent", "pay"),
    [
        ("tit_for_tat", "tit_for_tat", 3.0),
        ("tit_for_tat", "always_defect", 0.9),
        ("always_defect", "tit_for_tat", 1.4),
        ("always_defect", "always_defect", 1.0),
        ("always_defect", "always_cooperate", 5.0),
        ("always_cooperate", "always_defect", 0.0),
    ],
)
def test_scripts_are_paid_what_ten_rounds_of_3_1_5_0_give_them(figures, agent, opponent, pay):
    cell = figures.cell(agent, opponent)
    assert cell.pay.value == pytest.approx(pay)
    assert [estimate.value for estimate in cell.seat_pay] == pytest.approx([pay, pay])


@pytest.mark.parametrize(
    ("agent", "opponent", "pay"),
    [
        ("tit_for_tat", "coin", (1.5 + 9 * 2.25) / 10),  # after its first C it plays the coin's last move: even odds
        ("coin", "tit_for_tat", (4.0 + 9 * 2.25) / 10),
        ("coin", "always_cooperate", 4.0),
        ("coin", "coin", 2.25),
    ],
)
def test_pay_against_a_coin_is_within_four_standard_errors_of_what_is_expected(figures, agent, opponent, pay):
    found = figures.cell(agent, opponent).pay
    assert abs(found.value - pay) < found.high - found.low  # the interval is four standard errors wide
    assert 0.01 < found.high - found.low < 0.2
    assert found.n == 128


def test_efficiency_and_cooperation_of_known_pairs(figures):
    assert figures.both("tit_for_tat", "tit_for_tat").efficiency.value == 1.0
    assert figures.both("always_defect", "always_defect").efficiency.value == pytest.approx(2 / 6)
    assert figures.both("tit_for_tat", "always_defect").welfare.value == pytest.approx(2.3)
    assert figures.cell("tit_for_tat", "always_defect").cooperation_rate.value == pytest.approx(0.1)
    answer = {before: e.value for before, e in figures.cell("tit_for_tat", "coin").conditional.items()}
    assert answer == {"first": 1, "after CC": 1, "after CD": 0, "after DC": 1, "after DD": 0}
    assert set(figures.cell("always_defect", "always_cooperate").conditional) == {"first", "after DC"}


def verdicts(figures, opponent):
    return {(d.agent, d.minus): d.verdict for d in figures.differences if d.opponent == opponent}


def test_differences_have_a_side_and_equal_agents_tie(figures):
    assert verdicts(figures, "tit_for_tat") == {
        ("tit_for_tat", "always_defect"): "above",
        ("tit_for_tat", "always_cooperate"): "tie",
        ("tit_for_tat", "coin"): "above",
        ("always_defect", "always_cooperate"): "below",
        ("always_defect", "coin"): "below",
        ("always_cooperate", "coin"): "above",
    }
    assert verdicts(figures, None)["tit_for_tat", "always_cooperate"] == "tie"
    assert verdicts(figures, None)["tit_for_tat", "always_defect"] == "above"


def test_every_interval_of_a_difference_is_corrected_for_their_number(figures):
    assert len(figures.differences) == 6 * (4 + 1)
    assert {d.estimate.level for d in figures.differences} == {1 - 0.05 / 30}
    assert figures.correction == "Bonferroni"


def test_a_difference_is_paired_on_common_deals(figures, dilemma):
    """Both meet the same coin on a deal, so their difference varies less than independent matches would."""
    played = {
        pair: met(dilemma, scripts(dilemma, *NAMES), pair, CrossplaySettings(128)) for pair in ordered_pairs(NAMES)
    }
    a, b = (
        np.concatenate([[e.returns[0] for e in played[name, "coin"]], [e.returns[1] for e in played["coin", name]]])
        / 10
        for name in ("always_defect", "always_cooperate")
    )
    (found,) = [
        d
        for d in figures.differences
        if (d.agent, d.minus, d.opponent) == ("always_defect", "always_cooperate", "coin")
    ]
    assert found.estimate.value == pytest.approx(np.mean(a - b))
    meetings = meetings_of(dilemma, played)
    again = result_of(dilemma, figures.agents, CrossplaySettings(128), meetings, figures.shown, figures.made)
    assert result_json(again) == result_json(figures)


def test_two_names_of_one_script_tie_with_themselves(dilemma):
    coin = domain("prisoners_dilemma").corrected.find("coin")
    found = crossplay(dilemma, {"heads": ScriptedPolicy(coin), "tails": ScriptedPolicy(coin)}, matches=64)
    assert {d.verdict for d in found.differences} == {"tie"}


def test_deals_are_common_to_all_pairs_and_seats():
    game = make_game("kuhn_poker")
    players = scripts(game, *(o.name for _, o in domain("kuhn_poker").pools.all()[:3]))
    settings = CrossplaySettings(matches=20, seed=3)

    def cards(episode):
        return tuple(last_value(episode.of(seat)[0].information_state, "card") for seat in (0, 1))

    dealt = {pair: [cards(e) for e in met(game, players, pair, settings)] for pair in ordered_pairs(list(players))}
    assert len({tuple(found) for found in dealt.values()}) == 1
    others = [cards(e) for e in met(game, players, next(iter(dealt)), CrossplaySettings(matches=20, seed=4))]
    assert others != next(iter(dealt.values()))


def test_pay_of_a_zero_sum_game_cancels_and_its_welfare_is_not_compared():
    game = make_game("kuhn_poker")
    names = [o.name for _, o in domain("kuhn_poker").pools.all()[:3]]
    found = crossplay(game, scripts(game, *names), matches=30)
    for a, b in itertools.combinations(names, 2):
        assert found.cell(a, b).pay.value == pytest.approx(-found.cell(b, a).pay.value)
    assert all(found.cell(name, name).pay.value == 0 for name in names)
    assert None not in {d.opponent for d in found.differences}
    assert found.cell(names[0], names[1]).cooperation_rate is None
    assert found.both(names[0], names[1]).efficiency is None


class Dice(Policy):
    """Speaks, like a language model, with dice of its session's own."""

    name = "dice"

    def session(self, game, seed):
        return _DiceSession(game, seed.generator())


class _DiceSession(Session):
    def __init__(self, game, rng):
        self.game, self.rng = game, rng

    def replies(self, requests):
        draws = self.rng.random(len(requests))
        return [Reply(self.game.action_text(r.legal[int(u < 0.5)])) for r, u in zip(requests, draws, strict=True)]


def moves(episodes, seat):
    return np.array([[d.action == "cooperate" for d in e.of(seat)] for e in episodes])


def test_two_models_that_meet_never_draw_the_same_numbers(dilemma):
    episodes = met(dilemma, {"a": Dice(), "b": Dice()}, ("a", "b"), CrossplaySettings(matches=200))
    agreed = (moves(episodes, 0) == moves(episodes, 1)).mean()
    assert abs(agreed - 0.5) < 5 * 0.5 / np.sqrt(2000)


def test_a_pair_plays_the_same_whoever_else_takes_part_and_in_whatever_order(dilemma):
    players = {"a": Dice(), "b": Dice(), **scripts(dilemma, "coin", "grim")}
    settings = CrossplaySettings(matches=12, seed=1)
    alone = met(dilemma, {name: players[name] for name in ("b", "a")}, ("a", "b"), settings)
    assert alone == met(dilemma, players, ("a", "b"), settings)
    tables = [
        crossplay(dilemma, {n: players[n] for n in order}, 12, 1) for order in (list(players), list(players)[::-1])
    ]
    for pair in ordered_pairs(list(players)):
        assert plain(tables[0].cell(*pair)) == plain(tables[1].cell(*pair))
    swapped = met(dilemma, players, ("b", "a"), settings)
    assert moves(swapped, 1).tolist() != moves(alone, 0).tolist()


def test_pay_is_per_round_that_was_played_where_chance_may_end_the_game():
    game = RandomLength(make_game("prisoners_dilemma", rounds=16, horizon="hidden"), stop=0.3)
    found = crossplay(game, scripts(game, "always_defect", "always_cooperate"), matches=40)
    assert found.cell("always_defect", "always_cooperate").pay.value == pytest.approx(5.0)
    assert found.cell("always_defect", "always_defect").pay.value == pytest.approx(1.0)
    assert found.both("always_cooperate", "always_cooperate").efficiency.value == pytest.approx(1.0)


def test_faults_are_counted_with_their_denominator(dilemma):
    class Mute(Dice):
        def session(self, game, seed):
            session = super().session(game, seed)
            session.game = make_game("split")  # its words are no words of the dilemma
            session.game.action_text = lambda action: "nothing"
            return session

    found = crossplay(dilemma, {"mute": Mute(), **scripts(dilemma, "tit_for_tat")}, matches=4)
    assert found.cell("mute", "tit_for_tat").fault_rate.value == 1.0
    assert found.cell("tit_for_tat", "mute").fault_rate.value == 0.0
    assert found.cell("mute", "tit_for_tat").pay.value == 0.0  # a forfeit is paid like a lone cooperator
    assert found.cell("mute", "tit_for_tat").cooperation_rate is None  # a forfeited round asks nobody


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"agents": 1}, "got 1 agent; cross-play needs at least 2"),
        ({"matches": 1}, "got 1 matches of every ordered pair; allowed: 2"),
        ({"seed": -1}, "got seed -1; seeds are 0 or more"),
        ({"fault_rule": "ignore"}, "unknown fault rule 'ignore'"),
    ],
)
def test_a_caller_s_mistake_is_told_in_one_line(dilemma, change, says):
    agents = scripts(dilemma, *NAMES[: change.pop("agents", 2)])
    with pytest.raises(ValueError, match=says):
        crossplay(dilemma, agents, **change)


def test_no_interval_of_pay_leaves_what_a_round_can_pay(dilemma):
    found = crossplay(make_game("kuhn_poker"), scripts(make_game("kuhn_poker"), "uniform", "maniac"), matches=3)
    for cell in found.cells:
        for pay in (cell.pay, *cell.seat_pay):
            assert -2 <= pay.low <= pay.value <= pay.high <= 2
    twice = crossplay(dilemma, scripts(dilemma, "coin", "always_defect"), matches=3)
    assert all(0 <= both.welfare.low <= both.welfare.high <= 10 for both in twice.together)


def test_pay_that_all_matches_agree_on_has_an_interval_that_the_range_leaves(dilemma):
    found = crossplay(dilemma, scripts(dilemma, "always_cooperate", "always_defect"), matches=48)
    pay = found.cell("always_cooperate", "always_cooperate").pay
    assert pay.value == 3
    assert 0 < pay.low < 3 < pay.high < 5


def test_a_table_needs_every_pair_on_the_same_deals(dilemma):
    players = scripts(dilemma, *NAMES[:2])
    meetings = {
        pair: meeting_of(met(dilemma, players, pair, CrossplaySettings(matches=2 + (pair == NAMES[:2]))), None)
        for pair in ordered_pairs(NAMES[:2])
    }
    with pytest.raises(ValueError, match="on different deals"):
        crossplay_table(NAMES[:2], meetings)
    del meetings[NAMES[:2]]
    with pytest.raises(ValueError, match="tit_for_tat has not met always_defect"):
        crossplay_table(NAMES[:2], meetings)


def test_a_stored_meeting_comes_back_exactly(dilemma):
    meeting = meeting_of(
        met(dilemma, scripts(dilemma, "coin", "grim"), ("coin", "grim"), CrossplaySettings(9)),
        domain("prisoners_dilemma").cooperation,
    )
    codec = ValueCodec(Meeting)
    text = codec.dump(meeting, {"seed": 0})
    again, record = codec.load(text), json.loads(text)
    assert plain(again) == plain(meeting)
    assert again.pay.tolist() == meeting.pay.tolist()
    assert again.cooperation["first"].shape == (9, 2, 2)
    assert codec.made_by(text) == {"seed": 0}
    for wrong in ({"pay": record["pay"][:3]}, {"deals": "x"}, {"seats": ["a"]}, {"cooperation": {"never": []}}):
        with pytest.raises(ValueError, match=r"^it: "):
            codec.load(json.dumps(record | wrong))


def test_a_transcript_shows_each_player_what_it_saw_and_said(dilemma):
    (episode, *_) = met(dilemma, scripts(dilemma, "tit_for_tat", "always_defect"), NAMES[:2], CrossplaySettings(2))
    found = transcript(dilemma, episode, "typical", dict.fromkeys(NAMES, "terse"))
    assert found.seats == ("tit_for_tat", "always_defect")
    assert [r.pay for r in found.rounds] == [(0, 5), *[(1, 1)] * 9]
    first, second = (found.rounds[i].turns for i in (0, 1))
    assert [[(said.text, said.fault) for said in turn.said] for turn in first] == [
        [("cooperate", "")],
        [("defect", "")],
    ]
    assert "Round 1 of 10." in first[0].saw
    assert second[0].saw.startswith("The other player defects. You get 0 points. Round 2 of 10.")


def test_transcripts_are_few_and_different(dilemma):
    same = met(dilemma, scripts(dilemma, "tit_for_tat", "grim"), ("tit_for_tat", "grim"), CrossplaySettings(6))
    assert [t.why for t in transcripts(dilemma, same, {"tit_for_tat": "terse", "grim": "terse"})] == ["typical"]
    varied = met(dilemma, scripts(dilemma, "coin", "grim"), ("coin", "grim"), CrossplaySettings(30))
    typical, worst = transcripts(dilemma, varied, {"coin": "terse", "grim": "full"})
    assert sum(worst.pay) == min(sum(e.returns) for e in varied)
    assert sum(typical.pay) == pytest.approx(np.median([sum(e.returns) for e in varied]), abs=2)


# Agents as a user names them


def run_folder(path, game="prisoners_dilemma", sampling="temperature = 0.7\n"):
    """A run folder with a model, as training leaves it."""
    shutil.copytree(FOLDER, path / "model")
    (path / "recipe.toml").write_text(f'# made by hand\ngame = "{game}"\n[sampling]\n{sampling}')
    return path


def test_scripts_are_found_by_name_in_and_beside_the_pools(dilemma):
    assert {"tit_for_tat", "pavlov", "coin"} <= set(scripts_of(dilemma))
    assert [a.name for a in agents_of(["grim", "mine=coin"], dilemma, {})] == ["grim", "mine"]
    assert isinstance(policy_of(agents_of(["mine=coin"], dilemma, {})[0], dilemma), ScriptedPolicy)


def test_our_models_are_those_that_can_be_loaded():
    assert set(crossplay_agents.OURS) == set(load.OURS)


def test_a_run_brings_its_sampling_and_the_user_may_set_another(dilemma, tmp_path):
    folder = run_folder(tmp_path / "dilemma-3")
    for source in (folder, folder / "model"):
        (agent,) = agents_of([str(source)], dilemma, {})
        assert (agent.name, agent.kind, agent.sampling["temperature"]) == ("dilemma-3", "model", 0.7)
    (agent,) = agents_of([f"cold={folder}"], dilemma, {"temperature": 0.5})
    assert (agent.name, agent.sampling["temperature"]) == ("cold", 0.5)
    assert policy_of(agent, dilemma).sampling.temperature == 0.5


@pytest.mark.parametrize("inside", ["", "model"])
def test_a_run_on_another_game_is_refused_and_a_joint_run_allowed(dilemma, tmp_path, inside):
    folder = run_folder(tmp_path / "r", "kuhn_poker")
    with pytest.raises(ValueError, match=r"was trained on kuhn_poker .*recipe\.toml.*, not on prisoners_dilemma"):
        agents_of([str(folder / inside)], dilemma, {})
    (folder / "recipe.toml").write_text('games = ["split", "prisoners_dilemma"]\n')
    assert agents_of([str(folder / inside)], dilemma, {})
    (folder / "recipe.toml").write_text('games = ["all"]\n')
    assert agents_of([str(folder / inside)], dilemma, {})


def test_a_model_beside_somebody_s_recipe_is_a_plain_model(dilemma, tmp_path):
    shutil.copytree(FOLDER, tmp_path / "mine")
    (tmp_path / "recipe.toml").write_text('game = "kuhn_poker"\n')
    assert agents_of([str(tmp_path / "mine")], dilemma, {})[0].name == "mine"


def test_a_folder_is_known_by_its_content_wherever_it_lies(dilemma, tmp_path):
    first, second = (shutil.copytree(FOLDER, tmp_path / name) for name in ("a", "b"))
    one, other = (agents_of([f"x={folder}"], dilemma, {})[0] for folder in (first, second))
    assert one.made_by() == other.made_by()
    weights = next(second.glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\1\0\1")
    assert one.made_by() != agents_of([f"x={second}"], dilemma, {})[0].made_by()


def test_models_of_a_game_with_talk_may_answer_with_a_message():
    game = make_game("trust_and_split")
    (agent,) = agents_of(["tiny"], game, {})
    assert agent.sampling["max_new_tokens"] >= 64
    assert agents_of(["tiny"], make_game("split"), {})[0].sampling["max_new_tokens"] == 8


def tournament(out, *names, matches=4, **change):
    game = make_game("prisoners_dilemma", rounds=3)
    agents = agents_of(names, game, {})
    return Tournament("prisoners_dilemma", {"rounds": 3}, agents, CrossplaySettings(matches), out, **change)


def test_a_tournament_s_table_is_that_of_the_same_agents_played_here_and_now(tmp_path):
    found = tournament(tmp_path, "coin", "grim", "second=coin")
    found.open()
    for seats in found.seatings:
        found.store.put(key_of(seats), found(key_of(seats)))
        assert (tmp_path / "episodes" / f"{'+'.join(seats)}.jsonl.gz").is_file()
    result = found.result("equipoise crossplay coin grim second=coin")
    coin = domain("prisoners_dilemma").corrected.find("coin")
    players = {"coin": ScriptedPolicy(coin), **scripts(found.game, "grim"), "second": ScriptedPolicy(coin)}
    expected = crossplay(found.game, players, 4)
    for key in ("game", "cells", "together", "differences", "shown", "rules", "agents"):
        assert plain(result)[key] == plain(expected)[key]
    assert result.rules == render_rules(found.game)
    assert result.made.command == "equipoise crossplay coin grim second=coin"
    assert (result.made.by["parameters"]["rounds"], result.made.by["agents"]["second"]["source"]) == (3, "coin")
    save_result(result, found.out)
    found.open()  # its own result is no obstacle to going on
    assert result_json(load_result(found.out, CrossplayResult)) == result_json(result)


def test_a_tournament_of_python_comes_back_from_its_file_as_it_was(figures, tmp_path):
    save_result(figures, tmp_path)
    again = load_result(tmp_path, CrossplayResult)
    assert result_json(again) == result_json(figures)
    assert again.cell("tit_for_tat", "coin").pay == figures.cell("tit_for_tat", "coin").pay
    with pytest.raises(ValueError, match="'grim' took no part; known: tit_for_tat, always_defect"):
        again.cell("coin", "grim")


def test_who_took_part_says_whether_it_speaks(dilemma):
    found = crossplay(dilemma, {"speaks": Dice(), **scripts(dilemma, "grim")}, matches=2)
    assert {agent.name: agent.kind for agent in found.agents} == {"speaks": "model", "grim": "script"}


def test_names_that_differ_in_case_alone_are_refused_as_files_would_collide(tmp_path):
    with pytest.raises(ValueError, match="differ in upper and lower case alone"):
        tournament(tmp_path, "Grim=grim", "grim")
