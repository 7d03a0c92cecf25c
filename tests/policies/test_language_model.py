"""The language-model player: what it samples is what it scores, what is recorded, and what is trained on."""

from collections import Counter, defaultdict

import numpy as np
import pytest

from equipoise.arena import Match, rollout
from equipoise.arena.rollout import MAX_ATTEMPTS
from equipoise.engines.exactness import NOTHING
from equipoise.engines.plain_scoring import token_log_probs
from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.games.kuhn_poker.opponents import POOLS
from equipoise.policies import ScriptedPolicy
from equipoise.policies.language_model import LanguageModelPolicy, Sampling
from equipoise.training.rows import NOT_OURS, transcript_row

HAND, SESSION = KuhnPoker(), KuhnPoker(hands=6)
HOT = Sampling(temperature=2.5, max_new_tokens=6)
"""So warm that the embedded model often faults, and often does not."""


def play(model, tokenizer, game, episodes, *, sampling=None, seed=0, rule="forfeit", opponent="loose", **settings):
    """The policy and its episodes against a script, seats in turn; "self" plays against itself."""
    policy = LanguageModelPolicy("agent", model, tokenizer, sampling)
    policies = {"agent": policy}
    if opponent != "self":
        policies["other"] = ScriptedPolicy(POOLS.find(opponent))
    names = ("agent", "agent" if opponent == "self" else "other")
    matches = [Match(names if deal % 2 == 0 else names[::-1], deal) for deal in range(episodes)]
    return policy, rollout(game, policies, matches, seed=seed, fault_rule=rule, **settings)


def seats(episodes):
    """Every (episode, seat) that a model played and decided in."""
    return [(e, s) for e in episodes for s in (0, 1) if e.policies[s] == "agent" and e.of(s)]


def decisions(episodes):
    return [d for episode, seat in seats(episodes) for d in episode.of(seat)]


def assert_recorded_is_scored(model, episodes, temperature=1.0):
    """One plain forward pass over each finished transcript gives the log-probabilities recorded while sampling."""
    pairs = seats(episodes)
    rows = [transcript_row(episode, seat) for episode, seat in pairs]
    scored = token_log_probs(model, [(row.prompt, row.completion) for row in rows], temperature)
    for (episode, seat), row, score in zip(pairs, rows, scored, strict=True):
        recorded = np.concatenate([d.reply.tokens.log_probs for d in episode.of(seat)])
        np.testing.assert_allclose(score[np.array(row.turn) != NOT_OURS], recorded, atol=1e-4)


def chi_square(observed, expected):
    """The statistic's distance from its mean in standard deviations, over cells that expect 5 or more."""
    cells = [(o, e) for o, e in zip(observed, expected, strict=True) if e >= 5]
    assert len(cells) > 1
    value = sum((o - e) ** 2 / e for o, e in cells)
    return (value - len(cells)) / np.sqrt(2 * len(cells))


@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("game", [HAND, SESSION], ids=["one hand", "six hands"])
def test_recorded_log_probabilities_are_those_of_one_plain_forward_pass(embedded, game, temperature):
    model, tokenizer = embedded
    _, episodes = play(model, tokenizer, game, 32, sampling=Sampling(temperature), opponent="self")
    assert len({transcript_row(e, s).completion for e, s in seats(episodes)}) > 3
    assert_recorded_is_scored(model, episodes, temperature)


@pytest.mark.parametrize("rule", ["forfeit", "resample", "random_legal", "constrained"])
def test_recorded_log_probabilities_hold_under_every_fault_rule_and_in_small_waves(embedded, rule):
    model, tokenizer = embedded
    _, episodes = play(model, tokenizer, SESSION, 12, sampling=HOT, rule=rule, max_live=5)
    faults = [d.fault is not None for d in decisions(episodes)]
    assert 0.05 < np.mean(faults) < 0.95
    assert_recorded_is_scored(model, episodes, HOT.temperature)


def test_a_model_that_always_faults_is_recorded_as_it_was_sampled(random_model, tokenizer):
    _, episodes = play(random_model, tokenizer, SESSION, 16, opponent="self")
    assert_recorded_is_scored(random_model, episodes)


def test_keeping_the_cache_and_recomputing_it_play_the_same_games(embedded, monkeypatch):
    model, tokenizer = embedded
    _, kept = play(model, tokenizer, SESSION, 6, sampling=HOT, rule="constrained", opponent="self")
    monkeypatch.setattr("equipoise.engines.local.way_of", lambda model: NOTHING)
    _, again = play(model, tokenizer, SESSION, 6, sampling=HOT, rule="constrained", opponent="self")
    for d, e in zip(decisions(kept), decisions(again), strict=True):
        assert (d.reply.tokens.completion, d.action) == (e.reply.tokens.completion, e.action)
        np.testing.assert_allclose(d.reply.tokens.log_probs, e.reply.tokens.log_probs, atol=1e-4)


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_sampled_replies_have_the_probabilities_that_are_reported(embedded, temperature):
    model, tokenizer = embedded
    policy, episodes = play(model, tokenizer, HAND, 3_000, sampling=Sampling(temperature, 6))
    said = defaultdict(Counter)
    for d in decisions(episodes):
        exact = d.fault is None and d.reply.tokens.completion == policy.chat.reply(HAND.action_text(d.action))
        said[d.seat, d.information_state, d.legal][d.action if exact else None] += 1
    observed, expected, missing, elsewhere = [], [], 0.0, 0
    for counts, masses in zip(said.values(), policy.action_probabilities(HAND, list(said)), strict=True):
        total = sum(counts.values())
        assert sum(masses.values()) <= 1 + 1e-6
        observed += [counts[action] for action in masses]
        expected += [total * p for p in masses.values()]
        missing += total * (1 - sum(masses.values()))
        elsewhere += counts[None]
    assert abs(chi_square(observed, expected)) < 4
    assert abs(elsewhere - missing) < 4 * np.sqrt(max(missing, 1.0))
    assert temperature == 1.0 or elsewhere > 100


def test_transcripts_for_scoring_are_the_transcripts_of_play(embedded):
    model, tokenizer = embedded
    policy, episodes = play(model, tokenizer, SESSION, 24)
    compared = 0
    for episode, seat in seats(episodes):
        own = episode.of(seat)
        exact = [d.fault is None and d.reply.tokens.completion == policy.chat.reply(str(d.action)) for d in own]
        if all(exact):
            row = transcript_row(episode, seat)
            scored = policy.transcript(SESSION, own[-1].information_state, seat, own[-1].legal)
            assert row.prompt + row.completion == scored + own[-1].reply.tokens.completion
            compared += 1
    assert compared > 10


def test_the_same_seed_gives_the_same_episodes_and_another_seed_others(embedded):
    first, again, other = (play(*embedded, SESSION, 8, seed=seed, opponent="self")[1] for seed in (5, 5, 6))
    assert first == again
    assert first != other


def test_forfeit_plays_nothing_and_keeps_the_words(random_model, tokenizer):
    _, episodes = play(random_model, tokenizer, HAND, 20)
    for d in decisions(episodes):
        assert d.action is None
        assert d.fault is not None
        assert d.reply.text == tokenizer.decode(list(d.reply.tokens.completion))
    assert {r for e, s in seats(episodes) for r in [e.returns[s]]} == {HAND.min_reward}


def test_resample_records_every_attempt_and_asks_as_if_for_the_first_time(embedded):
    _, episodes = play(*embedded, SESSION, 24, sampling=HOT, rule="resample")
    numbers = Counter((len(d.attempts), d.fault is None) for d in decisions(episodes))
    assert set(numbers) == {(0, True), (1, True), (2, True), (2, False)}
    assert MAX_ATTEMPTS == 3
    for d in decisions(episodes):
        for reply, fault in d.attempts:
            assert reply.tokens.prompt == d.reply.tokens.prompt
            assert fault.kind in ("unparsable", "ambiguous", "illegal", "truncated", "refusal")


def test_random_legal_plays_both_actions_and_keeps_the_fault(random_model, tokenizer):
    _, episodes = play(random_model, tokenizer, HAND, 200, rule="random_legal")
    played = Counter((d.action, d.fault is not None) for d in decisions(episodes))
    assert set(played) == {(a, True) for a in HAND.actions}
    assert abs(played["check", True] - played["bet", True]) < 4 * np.sqrt(played["check", True] + played["bet", True])


def test_constrained_plays_the_models_own_choice_among_legal_words_and_keeps_the_fault(random_model, tokenizer):
    policy, episodes = play(random_model, tokenizer, HAND, 800, rule="constrained")
    played = defaultdict(Counter)
    for d in decisions(episodes):
        assert d.fault is not None
        assert d.action in d.legal
        if len([e for e in d.information_state if e.kind == "act" and e.player == d.seat]) == 0:
            played[d.seat, d.information_state, d.legal][d.action] += 1
    observed, expected = [], []
    for masses, counts in zip(policy.action_probabilities(HAND, list(played)), played.values(), strict=True):
        observed += [counts[a] for a in masses]
        expected += [sum(counts.values()) * p / sum(masses.values()) for p in masses.values()]
    assert abs(chi_square(observed, expected)) < 4


def test_a_seat_is_told_what_was_played_for_it_and_not_what_it_said_itself(embedded):
    policy, episodes = play(*embedded, SESSION, 16, sampling=HOT, rule="constrained")
    told, untold = 0, 0
    for episode, seat in seats(episodes):
        for before, after in zip(episode.of(seat), episode.of(seat)[1:], strict=False):
            shown = policy.tokenizer.decode(list(after.reply.tokens.prompt))
            if before.fault is not None:
                assert f"You {before.action}." in shown
                told += 1
            else:
                first = shown.split("<|see|>")[1].split(".")[0]
                assert first != f"You {before.action}"
                untold += 1
    assert min(told, untold) > 10


def test_a_reply_that_hits_the_limit_is_a_truncated_fault_and_is_closed_afterwards(embedded):
    model, tokenizer = embedded
    policy, episodes = play(model, tokenizer, SESSION, 8, sampling=Sampling(max_new_tokens=1), rule="random_legal")
    for episode, seat in seats(episodes):
        last = None
        for d in episode.of(seat):
            (token,) = d.reply.tokens.completion
            if token != policy.chat.end:
                assert (d.reply.truncated, d.fault.kind) == (True, "truncated")
            if last is not None:
                closed = last == policy.chat.end
                assert d.reply.tokens.prompt[: 2 - closed] == policy.chat.between((last,))
            last = token
    assert any(d.reply.truncated for d in decisions(episodes))


@pytest.mark.parametrize("rule", ["resample", "constrained"])
def test_a_row_trains_exactly_the_tokens_this_seat_sampled(embedded, rule):
    _, episodes = play(*embedded, SESSION, 6, sampling=HOT, rule=rule, opponent="self")
    assert len(seats(episodes)) == 12
    for episode, seat in seats(episodes):
        tokens = [d.reply.tokens for d in episode.of(seat)]
        recorded = [i for t in tokens for i in t.prompt + t.completion]
        owners = [x for n, t in enumerate(tokens) for x in [NOT_OURS] * len(t.prompt) + [n] * len(t.completion)]
        whole = transcript_row(episode, seat)
        assert list(whole.prompt + whole.completion) == recorded
        assert [NOT_OURS] * len(whole.prompt) + list(whole.turn) == owners


def test_rows_of_a_scripted_seat_are_refused(embedded):
    _, episodes = play(*embedded, SESSION, 2)
    with pytest.raises(ValueError, match="was not played by a language model"):
        transcript_row(episodes[0], 1)


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": -0.5},
        {"temperature": float("nan")},
        {"temperature": float("inf")},
        {"max_new_tokens": 0},
    ],
)
def test_impossible_sampling_is_refused(settings):
    with pytest.raises(ValueError, match=r"got (temperature|max_new_tokens)"):
        Sampling(**settings)
