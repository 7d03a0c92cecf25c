"""Past selves are worn, not copied: they play as they were, and the present weights are untouched."""

import numpy as np
import pytest
import torch

from equipoise.arena import Match, rollout
from equipoise.engines.local import wearing
from equipoise.errors import UserError
from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.models.load import load
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.training.population import PastSettings, Population, trained_weights


def moved(model, seed=1):
    """The model after an update of all its weights."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.03 * torch.randn(parameter.shape, generator=generator)
    return model


def games(policies, seats, deals=12):
    return rollout(KuhnPoker(), policies, [Match(seats, deal) for deal in range(deals)], seed=5)


@pytest.fixture
def player(new_model, tokenizer):
    """Makes the player of a fresh model."""
    return lambda **given: LanguageModelPolicy("agent", new_model(**given), tokenizer)


def texts(episodes):
    return [[decision.reply.text for decision in episode.decisions] for episode in episodes]


def under(policy, weights):
    """The player that a policy is under other weights."""
    policy.engine.put("then", weights)
    return policy.under("past", "then")


def test_wearing_gives_the_own_weights_back_even_after_an_error(new_model):
    model = new_model()
    parameters, own = list(model.parameters()), trained_weights(model)
    other = {name: value + 1.0 for name, value in own.items()}

    def stopped():
        with wearing(model, other):
            assert all(torch.equal(p, own[name] + 1.0) for name, p in model.named_parameters())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert all(torch.equal(p, own[name]) for name, p in model.named_parameters())
    assert all(left is right for left, right in zip(parameters, model.parameters(), strict=True))


def test_a_past_self_plays_as_a_copy_of_the_old_model_would(embedded):
    (model, tokenizer), old = load("tiny"), embedded[0]
    policy = LanguageModelPolicy("agent", model, tokenizer)
    past = under(policy, trained_weights(model))
    moved(model)
    copy = LanguageModelPolicy("past", old, tokenizer)
    for seats in (("agent", "past"), ("past", "agent")):
        played = games({"agent": policy, "past": past}, seats)
        assert played == games({"agent": policy, "past": copy}, seats)
        assert played != games({"agent": policy, "past": policy}, seats)


def test_an_adapters_past_is_the_adapter_alone(embedded):
    from peft import LoraConfig, get_peft_model

    model, tokenizer = load("tiny")
    adapted = get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj"], task_type="CAUSAL_LM"))
    weights = trained_weights(adapted)
    assert weights
    assert all("lora_" in name for name in weights)
    policy = LanguageModelPolicy("agent", adapted, tokenizer)
    past = under(policy, weights)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if name in weights:
                parameter += 0.3
    plain = LanguageModelPolicy("past", embedded[0], tokenizer)  # a fresh adapter changes nothing
    seats = ("past", "past")
    played, bare, present = (games({"past": player}, seats) for player in (past, plain, policy))
    assert texts(played) == texts(bare) != texts(present)


def test_a_snapshot_is_taken_of_the_first_policy_and_every_so_many_steps(player, tmp_path):
    population = Population(tmp_path / "past", PastSettings(every=3))
    for step in range(8):
        population.note(player(), step)
    assert population.steps == [0, 3, 6]
    assert sorted(path.name for path in (tmp_path / "past").iterdir()) == [
        f"step-00000{step}.safetensors" for step in (0, 3, 6)
    ]


def test_without_past_opponents_no_snapshot_is_taken(player, tmp_path):
    population = Population(tmp_path / "past", PastSettings(every=1, probability=0.0))
    population.note(player(), 4)
    assert population.steps == []
    assert not (tmp_path / "past").exists()


def test_recent_keeps_the_newest_and_offered_draws_from_all_of_them(tmp_path):
    population = Population(tmp_path, PastSettings(every=1, recent=5, offered=2))
    population.steps = list(range(1, 21))
    rng = np.random.default_rng(0)
    drawn = [population.offered(rng, 20) for _ in range(200)]
    assert all(len(set(steps)) == 2 for steps in drawn)
    assert {step for steps in drawn for step in steps} == {15, 16, 17, 18, 19}


def test_a_resumed_population_wears_what_was_saved_and_misses_what_is_gone(new_model, tokenizer, tmp_path):
    model = new_model()
    policy = LanguageModelPolicy("agent", model, tokenizer)
    first = Population(tmp_path, PastSettings(every=1))
    first.note(policy, 1)
    moved(model)
    again = Population(tmp_path, PastSettings(every=1))
    again.restore(first.state())
    pair = ("agent", "past-1")
    one, other = (games({"agent": policy, "past-1": p.player(1, policy)}, pair) for p in (first, again))
    assert one == other
    assert again.state() == first.state()
    with pytest.raises(ValueError, match=r"its past self .*step-000002\.safetensors is gone"):
        again.restore({"past": [1, 2]})


def test_a_snapshot_that_changed_is_told_from_one_that_did_not(player, tmp_path):
    first = Population(tmp_path, PastSettings(every=1))
    for step in (0, 1):
        first.note(player(seed=step), step)
    first.restore(first.state())
    file = tmp_path / "step-000001.safetensors"
    (tmp_path / "step-000000.safetensors").replace(file)  # whole, and another step's
    first.note(player(), 2)
    with pytest.raises(ValueError, match=r"its past self .*step-000000\.safetensors is gone"):
        first.restore(first.state())
    with pytest.raises(ValueError, match=r"its past self .*step-000001\.safetensors is damaged"):
        first.restore({**first.state(), "past": [1, 2]})


@pytest.mark.parametrize("how", ["half", "gone"])
def test_a_snapshot_that_is_lost_while_a_run_plays_is_one_line(how, player, tmp_path):
    policy = player()
    first = Population(tmp_path, PastSettings(every=1))
    first.note(policy, 0)
    first.restore(first.state())
    file = tmp_path / "step-000000.safetensors"
    whole = file.read_bytes()
    file.unlink() if how == "gone" else file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"cannot read the past self .*step-000000\.safetensors: .*; use --resume"):
        first.player(0, policy)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"every": 0}, "every=0"),
        ({"offered": 0}, "offered=0"),
        ({"probability": 1.5}, "probability=1.5; allowed: 0 to 1"),
    ],
)
def test_settings_that_make_no_sense_are_one_line(settings, said):
    with pytest.raises(ValueError, match=said):
        PastSettings(**settings)
