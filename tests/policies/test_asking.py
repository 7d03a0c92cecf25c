"""A model is asked in the wording that its tokenizer names, wherever it is asked, and whatever is made of it."""

import copy
import json

import pytest
from transformers import AutoTokenizer

from equipoise.arena import Match, rollout
from equipoise.errors import UserError
from equipoise.games import DOMAINS, domain, make_game
from equipoise.games.examples import examples
from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.games.prisoners_dilemma import DOMAIN as DILEMMA
from equipoise.games.text import WORDINGS, render_rules
from equipoise.models import EMBEDDED
from equipoise.models.load import load
from equipoise.policies import ScriptedPolicy
from equipoise.policies.chat import WORDING, ChatFormat
from equipoise.policies.language_model import LanguageModelPolicy, usual_reply_tokens
from equipoise.training.recipe import parse_recipe
from equipoise.training.rows import demonstrated_row, transcript_row
from equipoise.training.run import train

GAMES = {"kuhn_poker": KuhnPoker(hands=2), "prisoners_dilemma": DILEMMA.make(rounds=3)}


def worded(tokenizer, wording):
    """A copy of a tokenizer that says nothing of its wording, or names one."""
    other = copy.deepcopy(tokenizer)
    other.init_kwargs.pop(WORDING, None)
    if wording is not None:
        other.init_kwargs[WORDING] = wording
    return other


def played(policy, game, opponent):
    """A few episodes in which the policy's faults are replaced, so that it is asked in every round."""
    other = ScriptedPolicy(opponent)
    matches = [Match(("agent", "other") if deal % 2 else ("other", "agent"), deal) for deal in range(8)]
    return rollout(game, {"agent": policy, "other": other}, matches, seed=3, fault_rule="constrained")


@pytest.mark.parametrize("wording", WORDINGS)
@pytest.mark.parametrize("name", GAMES)
def test_play_scores_and_training_rows_ask_alike(embedded, name, wording):
    model, tokenizer = embedded
    game, policy = GAMES[name], LanguageModelPolicy("agent", model, worded(tokenizer, wording))
    assert policy.wording == policy.chat.wording == wording
    opponent = domain(name).corrected.pools.train[0]
    later = 0
    for episode in played(policy, game, opponent):
        seat = episode.policies.index("agent")
        own, read = episode.of(seat), ()
        if own:
            row = demonstrated_row(game, episode, seat, policy.chat)
            assert transcript_row(episode, seat).prompt == row.prompt == own[0].reply.tokens.prompt
        for number, decision in enumerate(own):
            read += decision.reply.tokens.prompt
            assert policy.transcript(game, decision.information_state, seat, decision.legal) == read
            assert (*row.prompt, *row.completion)[: len(read)] == read
            later += number > 0
            if decision.reply.tokens.completion != policy.chat.reply(game.action_text(decision.action)):
                break  # what stands in a played transcript is what was said, and in the others the words of the action
            read += decision.reply.tokens.completion
    assert later


def test_full_transcripts_begin_with_the_examples_as_turns_that_are_over(embedded):
    model, tokenizer = embedded
    game, policy = GAMES["kuhn_poker"], LanguageModelPolicy("agent", model, worded(tokenizer, None))
    turns = "".join(f"<|see|>{question}<|say|>{reply}<|end|>" for question, reply in examples(game, "full"))
    assert tokenizer.decode(list(policy.rules(game))) == f"<|rules|>{render_rules(game)}{turns}<|see|>"


@pytest.mark.parametrize("name", EMBEDDED)
def test_the_embedded_models_read_what_they_were_raised_on(name):
    model, tokenizer = load(name)
    policy = LanguageModelPolicy("agent", model, tokenizer)
    game = KuhnPoker()
    state = game.initial_state().child({-1: ("Q", "K")})
    ids = policy.transcript(game, state.information_state(0), 0, state.legal_actions(0))
    assert policy.wording == "terse"
    assert tokenizer.decode(list(ids)) == (
        "<|rules|>Game: Kuhn poker for two players, one hand. Cards: J, Q, K; K is highest. Each player pays 1 chip "
        "and gets one card that the other player cannot see. The first player checks or bets 1 chip. After a bet the "
        "next player folds or calls 1 chip. After a check the next player checks or bets. A fold loses the pot; else "
        "the higher card wins it. Win as many chips as possible. Answer with one word."
        "<|see|>You act first. Your card is Q. check or bet?<|say|>"
    )


@pytest.mark.parametrize("adapter", [False, True])
def test_what_is_trained_from_a_terse_model_stays_terse(tmp_path, adapter):
    small = {"rl": {"steps": 1}, "play": {"rollouts": 2, "train_pool": ["tight"]}}
    recipe = parse_recipe({**small, "lora": {"rank": 2}} if adapter else small)
    train(recipe, tmp_path / "run")
    _, tokenizer = load(tmp_path / "run")
    assert ChatFormat.of(tokenizer).wording == "terse"
    assert json.loads((tmp_path / "run" / "model" / "tokenizer_config.json").read_text())[WORDING] == "terse"


def test_a_tokenizer_that_says_nothing_is_asked_in_full_also_when_it_was_saved(tokenizer, tmp_path):
    worded(tokenizer, None).save_pretrained(tmp_path)
    assert ChatFormat.of(AutoTokenizer.from_pretrained(tmp_path)).wording == "full"


def test_usual_replies_have_room_for_the_longest_list_of_numbers_digit_by_digit():
    rooms = {name: usual_reply_tokens(make_game(name)) for name in DOMAINS}
    assert rooms == {**dict.fromkeys(DOMAINS, 8), "split_items": len("10 10 10") + 1, "trust_and_split": 250}


def test_an_unknown_wording_is_one_line(tokenizer):
    with pytest.raises(UserError, match=r"hold equipoise_wording 'short'; known: terse, full"):
        ChatFormat.of(worded(tokenizer, "short"))
