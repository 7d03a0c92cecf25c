"""Demonstrations and supervised training: experts in words, own replies scored, the policy moves toward them."""

import json
from collections import Counter

import numpy as np
import pytest
import torch

from equipoise.engines.plain_scoring import token_log_probs
from equipoise.games import domain
from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.games.kuhn_poker.opponents import POOLS
from equipoise.games.prisoners_dilemma import PrisonersDilemma
from equipoise.games.text import parse
from equipoise.models.load import load
from equipoise.policies.chat import ChatFormat
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.seeds import Seed
from equipoise.training.demonstrations import (
    Demonstrations,
    both_sides,
    demonstrate,
    demonstrate_against,
    demonstration_rows,
    expert_rows,
    partners,
)
from equipoise.training.rows import NOT_OURS
from equipoise.training.sft import SftSettings, all_weights, fit, reply_weights, validation_loss

NIT = [(POOLS.find("nit"), 1.0)]


@pytest.fixture(scope="module")
def chat(tokenizer):
    return ChatFormat.of(tokenizer)


def rows_of(game, chat, episodes=20, experts=NIT, seed=0):
    return demonstration_rows(game, both_sides(demonstrate(game, experts, episodes, Seed(seed))), chat)


def test_demonstrations_depend_on_the_seed_alone():
    mixed = [*NIT, (POOLS.find("loose"), 2.0)]
    game = KuhnPoker(hands=6)
    assert demonstrate(game, mixed, 30, Seed(1).at(2)) == demonstrate(game, mixed, 30, Seed(1).at(2))
    assert demonstrate(game, mixed, 30, Seed(1).at(2)) != demonstrate(game, mixed, 30, Seed(1).at(3))


def test_experts_are_seated_by_weight_in_both_seats():
    episodes = demonstrate(KuhnPoker(), [*NIT, (POOLS.find("loose"), 3.0)], 2_000, Seed(0))
    for seat in (0, 1):
        loose = Counter(e.policies[seat] for e in episodes)["loose"]
        assert abs(loose - 1_500) < 4 * np.sqrt(2_000 * 0.25 * 0.75)


def test_weights_count_a_seats_own_replies_and_nothing_else(chat):
    game = KuhnPoker(hands=6)
    episodes = demonstrate(game, NIT, 10, Seed(0))
    rows = demonstration_rows(game, both_sides(episodes), chat)
    seats = [(e, s) for e in episodes for s in (0, 1) if e.of(s)]
    for (episode, seat), row in zip(seats, rows, strict=True):
        tokens, weights = np.array(row.prompt + row.completion), reply_weights(row)
        assert set(weights) == {0.0, 1.0}
        assert tokens[weights == 1].tolist() == [i for d in episode.of(seat) for i in chat.reply(str(d.action))]
        assert not weights[: len(row.prompt)].any()
        assert all_weights(row).tolist() == [0.0] + [1.0] * (len(tokens) - 1)


def test_demonstrated_words_are_read_back_as_the_experts_actions(chat):
    game = KuhnPoker(hands=6)
    episodes = demonstrate(game, [*NIT, (POOLS.find("maniac"), 1.0)], 10, Seed(0))
    seats = [(e, s) for e in episodes for s in (0, 1) if e.of(s)]
    for (episode, seat), row in zip(seats, demonstration_rows(game, both_sides(episodes), chat), strict=True):
        for number, decision in enumerate(episode.of(seat)):
            ids = [i for i, turn in zip(row.completion, row.turn, strict=True) if turn == number]
            assert ids[-1] == chat.end
            assert parse(game, chat.tokenizer.decode(ids[:-1]), decision.legal) == decision.action


def test_a_seat_that_never_decided_gives_no_row(chat):
    game = KuhnPoker()
    episodes = demonstrate(game, [(POOLS.find("nash"), 1.0)], 40, Seed(0))
    rows = demonstration_rows(game, both_sides(episodes), chat)
    assert len(rows) == sum(bool(e.of(s)) for e in episodes for s in (0, 1))
    assert all(row.turn[-1] != NOT_OURS for row in rows)


def test_no_demonstrations_and_no_rows_are_refused(embedded, tmp_path):
    with pytest.raises(ValueError, match="got 0 demonstration episodes"):
        demonstrate(KuhnPoker(), NIT, 0, Seed(0))
    with pytest.raises(ValueError, match="got no rows"):
        fit(embedded[0], [], SftSettings(), tmp_path)


@pytest.mark.slow
def test_supervised_training_lowers_the_loss_and_moves_the_policy_to_the_expert(chat, tmp_path):
    model, tokenizer = load("tiny")
    game = KuhnPoker()
    rows = rows_of(game, chat, 100)
    held_out = rows_of(game, chat, 50, seed=9)
    policy = LanguageModelPolicy("agent", model, tokenizer)
    states = [(d.seat, d.information_state, d.legal) for e in demonstrate(game, NIT, 60, Seed(5)) for d in e.decisions]

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
    assert second.loss < first.loss
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


DILEMMA = PrisonersDilemma()
PROFILE = domain("prisoners_dilemma").corrected


def test_against_the_pools_only_the_experts_sides_are_shown():
    experts = Demonstrations("default").weighted_experts(PROFILE)
    others = partners(PROFILE, experts)
    sides = demonstrate_against(DILEMMA, experts, others, 400, Seed(0))
    shown = Counter(episode.policies[seat] for episode, seat in sides)
    met = Counter(episode.policies[1 - seat] for episode, seat in sides)
    weights = {player.name: weight for player, weight in experts}
    assert set(shown) == set(weights)
    for name, weight in weights.items():
        share = weight / sum(weights.values())
        assert abs(shown[name] - 400 * share) < 4 * np.sqrt(400 * share * (1 - share))
    held_out = {player.name for player in PROFILE.pools.held_out}
    assert set(met) == {player.name for player in others}
    assert not held_out & (set(met) | set(shown))
    assert 140 < sum(seat for _, seat in sides) < 260


def test_validation_rows_come_from_other_episodes_and_leave_the_training_rows_alone(chat):
    plain = Demonstrations({"nash": 1.0}, episodes=20, validation=0.0)
    kept = Demonstrations({"nash": 1.0}, episodes=20, validation=0.25)
    game, profile = KuhnPoker(hands=6), domain("kuhn_poker").corrected
    rows, none = expert_rows(game, profile, plain, chat, "none", Seed(1))
    same, aside = expert_rows(game, profile, kept, chat, "none", Seed(1))
    assert (none, same) == ([], rows)
    assert len(aside) == 2 * 5
    assert not {(r.prompt, r.completion) for r in aside} & {(r.prompt, r.completion) for r in rows}


def test_brief_demonstrations_give_the_expert_s_own_reason_before_the_action(chat):
    settings = Demonstrations({"tit_for_tat": 1.0}, "pools", episodes=5, validation=0.0)
    rows, _ = expert_rows(DILEMMA, PROFILE, settings, chat, "brief", Seed(0))
    assert len(rows) == 5
    for row in rows:
        said = [i for i, turn in zip(row.completion, row.turn, strict=True) if turn == 0]
        reason, action = chat.tokenizer.decode(said[:-1]).split("\n")
        start = DILEMMA.initial_state().information_state(0)
        assert reason in {PROFILE.find("tit_for_tat").reason(e, action) for e in (start,)}
        assert parse(DILEMMA, f"{reason}\n{action}", ("cooperate", "defect")) == "cooperate"


def test_an_expert_without_reasons_cannot_be_shown_reasoning(chat):
    settings = Demonstrations({"maniac": 1.0}, episodes=3)
    with pytest.raises(ValueError, match="expert 'maniac' of kuhn_poker gives no reasons"):
        expert_rows(KuhnPoker(), domain("kuhn_poker").corrected, settings, chat, "brief", Seed(0))


def test_the_loss_on_validation_rows_is_logged_from_start_to_end(new_model, chat, tmp_path):
    rows, kept = rows_of(KuhnPoker(), chat, 30), rows_of(KuhnPoker(), chat, 10, seed=9)
    settings = SftSettings(steps=5, batch_size=8, learning_rate=1e-2, validate_every=2)
    model = new_model()
    before = validation_loss(model, kept)
    fitted = fit(model, rows, settings, tmp_path, validation=kept)
    lines = [json.loads(line) for line in (tmp_path / "sft.jsonl").read_text().splitlines()]
    assert [(line["step"], line["validation_loss"]) for line in lines] == list(fitted.validation)
    assert [step for step, _ in fitted.validation] == [0, 2, 4, 5]
    assert fitted.validation[0][1] == pytest.approx(before)
    assert fitted.validation[-1][1] == pytest.approx(validation_loss(model, kept))
    assert fitted.validation[-1][1] < before
    alone = new_model()
    fit(alone, rows, settings, tmp_path)
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), alone.parameters(), strict=True))


def test_passes_do_not_change_what_is_learned(new_model, chat, tmp_path):
    rows = rows_of(KuhnPoker(), chat, 20)
    models = [new_model(), new_model()]
    for model, parts in zip(models, (10_000, 60), strict=True):
        fit(model, rows, SftSettings(steps=3, batch_size=8, learning_rate=1e-2, pass_tokens=parts), tmp_path)
    for p, q in zip(*(model.parameters() for model in models), strict=True):
        assert torch.allclose(p, q, atol=2e-3)


@pytest.mark.parametrize("weights", [reply_weights, all_weights])
def test_imitation_is_the_mean_surprise_per_token(weights, new_model, chat, tmp_path):
    """Against transformers' own loss on labels: the fitted model is that of a step written out."""
    game = KuhnPoker()
    rows = demonstration_rows(game, both_sides(demonstrate(game, NIT, 6, Seed(0))), chat)[:8]
    model, other = new_model(), new_model()
    losses = []
    for row in rows:
        ids = torch.tensor([row.prompt + row.completion])
        scores = torch.log_softmax(other(input_ids=ids).logits[0, :-1], dim=-1)
        counted = torch.from_numpy(weights(row)[1:])
        losses.append(-(scores.gather(1, ids[0, 1:, None])[:, 0] * counted).sum())
    loss = sum(losses) / sum(weights(row).sum() for row in rows)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(other.parameters(), 1.0)
    torch.optim.AdamW(other.parameters(), lr=1e-3, weight_decay=0.0).step()
    settings = SftSettings(steps=1, batch_size=8, learning_rate=1e-3, pass_tokens=60)
    assert fit(model, rows, settings, tmp_path, weights=weights).loss == pytest.approx(loss.item(), rel=1e-5)
    moved = [(p - q).abs().max() for p, q in zip(model.parameters(), new_model().parameters(), strict=True)]
    apart = [(p - q).abs().mean() for p, q in zip(model.parameters(), other.parameters(), strict=True)]
    assert max(moved) > 5e-4
    assert max(apart) < 2e-5
