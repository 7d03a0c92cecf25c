"""Several games in one step: the objective is the mean of theirs, whatever their sizes."""

import numpy as np
import pytest
import torch

from equipoise.games import domain, make_game
from equipoise.objectives.sepo import CreditWeights, own_pool
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.seeds import Seed
from equipoise.training.experience import PlaySettings, SepoPlay
from equipoise.training.joint import JointPlay, mean_of_games
from equipoise.training.play import Experience
from equipoise.training.rows import NOT_OURS, Row


def experience(count, episodes, seed):
    """Random rows of one game, fewer than its episodes."""
    rng = np.random.default_rng(seed)
    rows = [
        Row((5, 6, int(rng.integers(7, 90))), tuple(rng.integers(7, 90, 4).tolist()), (0, NOT_OURS, 1, 1))
        for _ in range(count)
    ]
    weights = [rng.normal(size=4) * (np.array(row.turn) != NOT_OURS) for row in rows]
    return Experience(rows, weights, rng.integers(1, 5, count), episodes, {"payoff": 1.0, "fault_rate": 0.5 * seed})


def gradient(model, played):
    """The policy gradient of an experience, flat."""
    model.zero_grad()
    loss = torch.zeros(())
    for row, weight in zip(played.rows, played.weights, strict=True):
        ids = torch.tensor([row.prompt + row.completion])
        scores = torch.log_softmax(model(input_ids=ids).logits[0], dim=-1)[len(row.prompt) - 1 : -1]
        loss = loss - (torch.tensor(weight) * scores.gather(1, ids[0, len(row.prompt) :, None])[:, 0]).sum()
    (loss / played.episodes).backward()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def test_the_merged_batch_has_the_mean_of_the_games_gradients(new_model):
    model = new_model()
    parts = {"a": experience(3, 7, 0), "b": experience(5, 40, 1), "c": experience(2, 2, 2)}
    separate = torch.stack([gradient(model, part) for part in parts.values()]).mean(dim=0)
    joint = gradient(model, mean_of_games(parts))
    assert separate.norm() > 1e-2
    assert torch.allclose(joint, separate, atol=1e-5 * float(separate.norm()))


def test_counts_weigh_every_game_alike():
    parts = {"a": experience(3, 7, 0), "b": experience(5, 40, 1)}
    joint = mean_of_games(parts)
    shares = [part.counts.sum() / part.episodes for part in parts.values()]
    assert joint.counts.sum() / joint.episodes == pytest.approx(np.mean(shares))


def test_metrics_carry_their_game_and_only_the_fault_rate_is_averaged():
    joint = mean_of_games({"a": experience(1, 1, 0), "b": experience(1, 1, 1)})
    assert joint.metrics == {
        "a/payoff": 1.0,
        "a/fault_rate": 0.0,
        "b/payoff": 1.0,
        "b/fault_rate": 0.5,
        "fault_rate": 0.25,
    }


def play(name, **parameters):
    settings = PlaySettings(rollouts=2, seats=(0,))
    return SepoPlay(make_game(name, **parameters), domain(name).corrected, settings, CreditWeights(), own_pool)


def test_a_step_plays_every_game_and_depends_on_seed_and_step_alone(random_model, tokenizer):
    policy = LanguageModelPolicy("agent", random_model, tokenizer)
    games = {"kuhn_poker": play("kuhn_poker"), "prisoners_dilemma": play("prisoners_dilemma", rounds=2)}
    first = JointPlay(games).collect(policy, Seed(7).at(3), 3)
    again = JointPlay(games).collect(policy, Seed(7).at(3), 3)
    assert first.rows == again.rows
    assert first.episodes == 5 * 6 * 2 + 7 * 2
    assert {key.split("/")[0] for key in first.metrics} == {*games, "fault_rate"}
    assert JointPlay(games).collect(policy, Seed(7).at(4), 4).rows != first.rows


def test_one_game_is_played_as_it_is_alone(random_model, tokenizer):
    policy = LanguageModelPolicy("agent", random_model, tokenizer)
    alone = play("kuhn_poker").collect(policy, Seed(7).at(3, 0), 3)
    joint = JointPlay({"kuhn_poker": play("kuhn_poker")}).collect(policy, Seed(7).at(3), 3)
    assert (joint.rows, joint.metrics) == (alone.rows, alone.metrics)
