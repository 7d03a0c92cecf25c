"""Demonstrations and supervised training: experts in words, own replies scored, the policy moves toward them."""

from collections import Counter

import numpy as np
import pytest

from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.games.kuhn_poker.opponents import POOLS
from equipoise.games.text import parse
from equipoise.models.load import load
from equipoise.policies.chat import ChatFormat
from equipoise.policies.language_model import LanguageModelPolicy, token_log_probs
from equipoise.training.demonstrations import demonstrate, demonstration_rows
from equipoise.training.rows import NOT_OURS
from equipoise.training.sft import IGNORED, SftSettings, all_labels, fit, reply_labels

NIT = [(POOLS.find("nit"), 1.0)]


@pytest.fixture(scope="module")
def chat(tokenizer):
    return ChatFormat.of(tokenizer)


def rows_of(game, chat, episodes=20, experts=NIT, seed=(0,)):
    return demonstration_rows(game, demonstrate(game, experts, episodes, seed), chat)


def test_demonstrations_depend_on_the_seed_alone():
    mixed = [*NIT, (POOLS.find("loose"), 2.0)]
    game = KuhnPoker(hands=6)
    assert demonstrate(game, mixed, 30, (1, 2)) == demonstrate(game, mixed, 30, (1, 2))
    assert demonstrate(game, mixed, 30, (1, 2)) != demonstrate(game, mixed, 30, (1, 3))


def test_experts_are_seated_by_weight_in_both_seats():
    episodes = demonstrate(KuhnPoker(), [*NIT, (POOLS.find("loose"), 3.0)], 2_000, (0,))
    for seat in (0, 1):
        loose = Counter(e.policies[seat] for e in episodes)["loose"]
        assert abs(loose - 1_500) < 4 * np.sqrt(2_000 * 0.25 * 0.75)


def test_labels_score_a_seats_own_replies_and_nothing_else(chat):
    game = KuhnPoker(hands=6)
    episodes = demonstrate(game, NIT, 10, (0,))
    rows = demonstration_rows(game, episodes, chat)
    seats = [(e, s) for e in episodes for s in (0, 1) if e.of(s)]
    for (episode, seat), row in zip(seats, rows, strict=True):
        labels = reply_labels(row)
        assert len(labels) == len(row.prompt) + len(row.completion)
        scored = [label for label in labels if label != IGNORED]
        assert scored == [i for d in episode.of(seat) for i in chat.reply(str(d.action))]
        assert labels[: len(row.prompt)] == [IGNORED] * len(row.prompt)
        assert all(a in (IGNORED, b) for a, b in zip(labels, all_labels(row), strict=True))


def test_demonstrated_words_are_read_back_as_the_experts_actions(chat):
    game = KuhnPoker(hands=6)
    episodes = demonstrate(game, [*NIT, (POOLS.find("maniac"), 1.0)], 10, (0,))
    seats = [(e, s) for e in episodes for s in (0, 1) if e.of(s)]
    for (episode, seat), row in zip(seats, demonstration_rows(game, episodes, chat), strict=True):
        for number, decision in enumerate(episode.of(seat)):
            ids = [i for i, turn in zip(row.completion, row.turn, strict=True) if turn == number]
            assert ids[-1] == chat.end
            assert parse(game, chat.tokenizer.decode(ids[:-1]), decision.legal) == decision.action


def test_a_seat_that_never_decided_gives_no_row(chat):
    game = KuhnPoker()
    episodes = demonstrate(game, [(POOLS.find("nash"), 1.0)], 40, (0,))
    rows = demonstration_rows(game, episodes, chat)
    assert len(rows) == sum(bool(e.of(s)) for e in episodes for s in (0, 1))
    assert all(row.turn[-1] != NOT_OURS for row in rows)


def test_no_demonstrations_and_no_rows_are_refused(embedded, tmp_path):
    with pytest.raises(ValueError, match="got 0 demonstration episodes"):
        demonstrate(KuhnPoker(), NIT, 0, (0,))
    with pytest.raises(ValueError, match="got no rows"):
        fit(embedded[0], [], SftSettings(), tmp_path)


def test_supervised_training_lowers_the_loss_and_moves_the_policy_to_the_expert(chat, tmp_path):
    model, tokenizer = load("tiny")
    game = KuhnPoker()
    rows = rows_of(game, chat, 100)
    held_out = rows_of(game, chat, 50, seed=(9,))
    policy = LanguageModelPolicy("agent", model, tokenizer)
    states = [(d.seat, d.information_state, d.legal) for e in demonstrate(game, NIT, 60, (5,)) for d in e.decisions]

    def loss():
        scores = token_log_probs(model, [(row.prompt, row.completion) for row in held_out])
        own = [s[np.array(row.turn) != NOT_OURS] for s, row in zip(scores, held_out, strict=True)]
        return -float(np.concatenate(own).mean())

    def distance():
        played = policy.action_probabilities(game, states)
        expert = [NIT[0][0].behaviour(state, legal) for _, state, legal in states]
        return np.mean([sum(abs(p[a] - q[a]) for a in p) / 2 for p, q in zip(played, expert, strict=True)])

    before = loss(), distance()
    first = fit(model, rows, SftSettings(steps=20, batch_size=32, learning_rate=2e-3), tmp_path)
    second = fit(model, rows, SftSettings(steps=20, batch_size=32, learning_rate=2e-3), tmp_path)
    assert second < first
    assert not model.training
    after = loss(), distance()
    assert after[0] < 0.5 * before[0]
    assert after[1] < 0.5 * before[1]


def test_the_same_seed_trains_the_same_weights(new_model, chat, tmp_path):
    rows = rows_of(KuhnPoker(), chat, 20)
    models = [new_model(), new_model(), new_model()]
    for model, seed in zip(models, (0, 0, 1), strict=True):
        fit(model, rows, SftSettings(steps=4, batch_size=8, learning_rate=1e-2, seed=seed), tmp_path)
    first, again, other = ([p.detach().numpy() for p in model.parameters()] for model in models)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
