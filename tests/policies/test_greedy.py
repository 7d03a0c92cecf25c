"""A policy at temperature 0: always the likeliest token, with certainty, whichever way it is asked."""

import numpy as np
import pytest
import torch

from equipoise.arena import Match, rollout
from equipoise.engines.exactness import KEYS, NOTHING
from equipoise.engines.next_token import Greedy, Tempered, next_token
from equipoise.engines.plain_scoring import token_log_probs
from equipoise.errors import UserError
from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.metrics import information_states
from equipoise.policies.language_model import LanguageModelPolicy, Sampling
from equipoise.training.recipe import Recipe

HANDS, COLD = KuhnPoker(hands=2), Sampling(0.0)
STATES = information_states(HANDS)


def play(policy, seed, rule="forfeit"):
    matches = [Match(("agent", "agent"), deal) for deal in range(12)]
    return rollout(HANDS, {"agent": policy}, matches, seed=seed, fault_rule=rule)


def said(policy, prompt):
    """The reply of plain passes, one token after another."""
    reply = ()
    while len(reply) < policy.sampling.max_new_tokens and not (reply and reply[-1] in policy.chat.stops):
        with torch.inference_mode():
            reply += (int(policy.engine.model(input_ids=torch.tensor([prompt + reply])).logits[0, -1].argmax()),)
    return reply


@pytest.fixture
def policy(embedded):
    return LanguageModelPolicy("agent", *embedded, COLD)


def test_of_equal_logits_the_lowest_token_is_chosen_and_has_probability_one():
    logits = torch.tensor([[[0.0, 3.0, 3.0, -1.0], [2.0, 2.0, 2.0, 2.0]]])
    assert Greedy().log_probs(logits).exp().tolist() == [[[0, 1, 0, 0], [1, 0, 0, 0]]]
    row, column, token = torch.tensor([0, 0, 0]), torch.tensor([0, 0, 1]), torch.tensor([1, 2, 0])
    assert Greedy().chosen(logits, row, column, token).exp().tolist() == [1, 0, 1]
    assert (next_token(0.0), next_token(0.7)) == (Greedy(), Tempered(0.7))


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_log_probabilities_are_float32_at_any_precision(half):
    logits = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0)).to(half)
    assert Greedy().log_probs(logits).dtype == Tempered(1.0).log_probs(logits).dtype == torch.float32


def test_play_is_what_plain_passes_say_with_log_probability_zero(policy):
    replies = 0
    for episode in play(policy, 0):
        for seat in (0, 1):
            transcript = ()
            for decision in episode.of(seat):
                tokens = decision.reply.tokens
                transcript += tokens.prompt
                assert tokens.completion == said(policy, transcript)
                assert set(tokens.log_probs) == {0.0}
                transcript += tokens.completion
                replies += 1
    assert replies > 40


@pytest.mark.parametrize("rule", ["forfeit", "constrained"])
def test_no_seed_changes_what_is_said(policy, rule):
    def replies(seed):
        heard = {}
        for episode in play(policy, seed, rule):
            for decision in episode.decisions:
                seen = (decision.seat, decision.information_state)
                assert heard.setdefault(seen, (decision.reply, decision.action)) == (decision.reply, decision.action)
        return heard

    one, other = replies(1), replies(2)
    shared = one.keys() & other.keys()
    assert len(shared) > 5
    assert all(one[seen] == other[seen] for seen in shared)


def test_a_faulty_greedy_reply_is_constrained_to_the_likeliest_legal_words(random_model, tokenizer):
    cold = LanguageModelPolicy("agent", random_model, tokenizer, COLD)
    warm = LanguageModelPolicy("agent", random_model, tokenizer)
    decisions = [e.of(seat)[0] for e in play(cold, 0, "constrained") for seat in (0, 1)]
    assert all(d.fault for d in decisions)
    states = [(d.seat, d.information_state, d.legal) for d in decisions]
    for decision, masses in zip(decisions, warm.action_probabilities(HANDS, states), strict=True):
        assert decision.action == max(masses, key=masses.get)


@pytest.mark.parametrize("way", [KEYS, NOTHING], ids=lambda way: way.name)
def test_exact_probabilities_are_one_for_the_greedy_reply_and_zero_elsewhere(policy, way, monkeypatch):
    monkeypatch.setattr("equipoise.engines.local.way_of", lambda model: way)
    certain = 0
    for (seat, seen, legal), masses in zip(STATES, policy.action_probabilities(HANDS, STATES), strict=True):
        reply = said(policy, policy.transcript(HANDS, seen, seat, legal))
        expected = {action: float(reply == policy.chat.reply(HANDS.action_text(action))) for action in legal}
        assert masses == expected
        certain += sum(masses.values())
    assert certain > len(STATES) / 2


def test_plain_scores_are_zero_along_the_greedy_reply_and_minus_infinity_off_it(policy):
    prompt = policy.transcript(HANDS, *(STATES[0][i] for i in (1, 0, 2)))
    reply = said(policy, prompt)
    assert token_log_probs(policy.engine.model, [(prompt, reply)], 0.0)[0].tolist() == [0.0] * len(reply)
    other = (reply[0] + 1, *reply[1:])
    assert token_log_probs(policy.engine.model, [(prompt, other)], 0.0)[0][0] == -np.inf


def test_a_greedy_policy_is_known_as_one_and_cannot_be_trained():
    assert COLD.deterministic
    assert not Sampling(0.01).deterministic
    with pytest.raises(UserError, match="temperature"):
        Recipe(sampling=COLD)
