"""Episodes on disk: what is read equals what was written, and a crash leaves the old file."""

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.arena import records, rollout
from equipoise.arena.matchups import against
from equipoise.arena.records import read_episodes, write_episodes
from equipoise.core import FAULT_KINDS, Decision, Episode, Event, Fault, Reply, Tokens
from equipoise.games import domain
from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.policies.scripted import ScriptedPolicy

KUHN_TIGHT = ScriptedPolicy(domain("kuhn_poker").pools.find("tight"))

RICH = Episode(
    game="split",
    policies=("agent", "fair"),
    deal=3,
    decisions=(
        Decision(
            seat=0,
            round=1,
            slot=2,
            information_state=(Event("hand", None, (1, 6)), Event("card", 0, "J"), Event("first")),
            legal=("take", 3, (1, 2)),
            reply=Reply("3 \u2663\n\U0001f0cf", None, Tokens((1, 2), (3,), (-0.1234567890123456789,)), True),
            action=(1, 2),
            fault=Fault("truncated", "the reply hit the token limit"),
            attempts=(
                (
                    Reply("hmm", None, Tokens((1, 2), (9, 9), (-1.0, -2.0)), thought="<think>so</think>"),
                    Fault("unparsable", "no action"),
                ),
                (Reply("", None, None, True), Fault("refusal", "")),
            ),
        ),
        Decision(1, 1, 0, (), (3,), Reply(action=3), 3),
        Decision(0, 2, 0, (), (3,), Reply("no"), None, Fault("illegal", "'no'")),
    ),
    rewards=((1.5, -1.5), (0.0, 0.1)),
    returns=(1.5, -1.4),
)


def again(tmp_path, *episodes):
    """The episodes after a trip to the disk."""
    path = tmp_path / "episodes.jsonl.gz"
    write_episodes(path, episodes)
    return list(read_episodes(path))


def test_everything_on_an_episode_comes_back_equal(tmp_path):
    assert again(tmp_path, RICH, RICH) == [RICH, RICH]


def test_tuples_come_back_as_tuples(tmp_path):
    (episode,) = again(tmp_path, RICH)
    decision = episode.decisions[0]
    assert decision.action == (1, 2)
    assert isinstance(decision.action, tuple)
    assert decision.legal == ("take", 3, (1, 2))
    assert isinstance(decision.information_state[0], Event)
    assert decision.information_state[0].value == (1, 6)
    assert isinstance(decision.reply.tokens, Tokens)
    hash(episode)


@pytest.mark.parametrize("rule", ["forfeit", "resample", "random_legal", "constrained"])
def test_played_episodes_with_faults_and_tokens_come_back_equal(tmp_path, random_model, tokenizer, rule):
    agent = LanguageModelPolicy("agent", random_model, tokenizer)
    matches = against("agent", ["tight"], [None] * 4)
    game = KuhnPoker(hands=2)
    played = rollout(game, {"agent": agent, "tight": KUHN_TIGHT}, matches, seed=1, fault_rule=rule)
    decisions = [d for episode in played for d in episode.decisions]
    assert any(d.fault for d in decisions)
    assert any(d.attempts for d in decisions) == (rule == "resample")
    assert again(tmp_path, *played) == played


@given(
    text=st.text(st.characters(codec="utf-8")),
    kind=st.sampled_from(FAULT_KINDS),
    log_probs=st.lists(st.floats(max_value=0, allow_nan=False, allow_infinity=False), max_size=4),
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
        lambda inner: st.tuples(inner, inner),
        max_leaves=4,
    ),
)
def test_any_words_numbers_and_nested_values_come_back_equal(tmp_path_factory, text, kind, log_probs, value):
    tokens = Tokens((0,), tuple(range(len(log_probs))), tuple(log_probs))
    decision = Decision(
        0, 0, 0, (Event("said", 1, value),), (value,), Reply(text, None, tokens), value, Fault(kind, text)
    )
    episode = Episode("g", ("a", "b"), 0, (decision,), ((0.0, 0.0),), (0.0, 0.0))
    assert again(tmp_path_factory.mktemp("any"), episode) == [episode]


def test_half_a_surrogate_pair_in_a_reply_comes_back_equal(tmp_path):
    decision = Decision(0, 0, 0, (), (), Reply("\ud800 bet"), None, Fault("unparsable", "\udfff"))
    episode = Episode("g", ("a",), 0, (decision,), ((0.0,),), (0.0,))
    assert again(tmp_path, episode) == [episode]


HALVES = st.text(
    st.characters(min_codepoint=0xD800, max_codepoint=0xDFFF) | st.sampled_from("a\n\r\u2028\u0085\U0001f600\\")
)


@given(text=HALVES, thought=HALVES, value=HALVES)
def test_halves_of_surrogate_pairs_come_back_equal_side_by_side_too(tmp_path_factory, text, thought, value):
    reply = Reply("\ud83d\ude00" + text, None, None, False, thought)
    fault = Fault("unparsable", text)
    decision = Decision(0, 0, 0, (Event("said", 1, value),), (value,), reply, value, fault, ((reply, fault),))
    episode = Episode("g", ("a", "b"), 0, (decision,), ((0.0, 0.0),), (0.0, 0.0))
    assert again(tmp_path_factory.mktemp("halves"), episode, RICH) == [episode, RICH]


def test_lines_without_such_pairs_are_ascii(tmp_path):
    decision = Decision(0, 0, 0, (), (), Reply("\ud800 \U0001f600 \u2028"), None)
    write_episodes(tmp_path / "e.jsonl.gz", [Episode("g", ("a",), 0, (decision,), ((0.0,),), (0.0,))])
    assert gzip.decompress((tmp_path / "e.jsonl.gz").read_bytes()).isascii()


def test_no_episodes_is_an_empty_file(tmp_path):
    assert again(tmp_path) == []


def test_a_file_is_one_json_line_per_episode_in_order(tmp_path):
    path = tmp_path / "e.jsonl.gz"
    write_episodes(path, [RICH, Episode("g", ("a",), 9, (), (), ())])
    with gzip.open(path, "rt", encoding="utf-8") as file:
        assert [json.loads(line)["deal"] for line in file] == [3, 9]


def test_episodes_are_read_one_at_a_time(tmp_path):
    path = tmp_path / "e.jsonl.gz"
    write_episodes(path, [RICH] * 3)
    with gzip.open(path, "at", encoding="utf-8") as file:
        file.write("{broken\n")
    reader = read_episodes(path)
    assert [next(reader) for _ in range(3)] == [RICH] * 3
    with pytest.raises(json.JSONDecodeError):
        next(reader)


class Crash(BaseException):
    """Stands in for a kill while a file is written."""


@pytest.mark.parametrize("moment", ["while a line is made", "before the file gets its name"])
def test_a_crash_while_writing_leaves_the_old_file(tmp_path, monkeypatch, moment):
    path = tmp_path / "episodes.jsonl.gz"
    write_episodes(path, [RICH])
    before, made = path.read_bytes(), []

    def crash(*arguments):
        made.append(arguments)
        if moment.startswith("before") or len(made) == 3:
            raise Crash
        return {"deal": 0}

    name = "_episode" if moment.startswith("while") else "os.replace"
    with monkeypatch.context() as patch:
        patch.setattr(f"equipoise.arena.records.{name}", crash)
        with pytest.raises(Crash):
            write_episodes(path, [RICH] * 5)
    assert path.read_bytes() == before
    assert list(read_episodes(path)) == [RICH]
    records.write_episodes(path, [RICH] * 2)
    assert list(read_episodes(path)) == [RICH] * 2
    assert [p.name for p in tmp_path.iterdir()] == ["episodes.jsonl.gz"]


def test_a_value_that_json_cannot_hold_leaves_the_old_file(tmp_path):
    path = tmp_path / "episodes.jsonl.gz"
    write_episodes(path, [RICH])
    bad = Episode("g", ("a",), 0, (Decision(0, 0, 0, (), (), Reply(), frozenset()),), (), ())
    with pytest.raises(TypeError):
        write_episodes(path, [RICH, bad])
    assert list(read_episodes(path)) == [RICH]
