"""Games are played, audited and trained through the engine `vllm` as through any other."""

import json

import numpy as np
import pytest

from equipoise.arena import Match, rollout
from equipoise.engines.plain_scoring import token_log_probs
from equipoise.games import make_game
from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.lab.audit import AuditSettings, audit
from equipoise.models.hardware import Hardware
from equipoise.models.load import load
from equipoise.models.serving import served
from equipoise.policies.language_model import LanguageModelPolicy, Sampling
from equipoise.training.recipe import parse_recipe
from equipoise.training.run import train

LORA = {"rank": 4, "alpha": 64.0}
STEPS = {"rl": {"steps": 3, "learning_rate": 2e-3, "exact_every": 1, "report_to": []}, "hardware": {"engine": "vllm"}}
DILEMMA = {
    "game": "prisoners_dilemma",
    "game_parameters": {"rounds": 2},
    "self_play": {"deals": 2, "rollouts": 4},
    "past": {"every": 1},
}
RUNS = {
    "pools": {"play": {"rollouts": 2, "train_pool": ["tight"]}},
    "past selves of all weights": {**DILEMMA, "objective": {"rule": "advantage_alignment"}},
    "past adapters": {**DILEMMA, "objective": {"rule": "advantage_alignment", "kl": 0.05}, "lora": LORA},
    "two agents": {
        **DILEMMA,
        "objective": {"rule": "advantage_alignment"},
        "self_play": {**DILEMMA["self_play"], "agents": "two", "trained": "both"},
        "lora": LORA,
    },
}


@pytest.fixture
def player():
    """Makes players of embedded models that vLLM serves."""
    engines = []

    def make(name, sampling=None):
        engine, tokenizer = served(name, Hardware(engine="vllm"))
        engines.append(engine)
        return LanguageModelPolicy("agent", engine, tokenizer, sampling)

    yield make
    for engine in engines:
        engine.close()


def recorded(episodes):
    """What was shown, drawn and told of every decision."""
    return [decision.reply.tokens for episode in episodes for decision in episode.decisions]


@pytest.mark.parametrize(
    ("game", "parameters", "legal"), [("kuhn_poker", {}, 0.8), ("trust_and_split", {"rounds": 2}, 0.0)]
)
def test_episodes_hold_the_log_probabilities_of_plain_passes(player, game, parameters, legal):
    played = make_game(
        game, **parameters
    )  # "tiny" never learned to talk; "tiny-talk" has heads of 16, too small for vLLM on a CPU
    matches = [Match(("agent", "agent"), deal) for deal in range(12)]
    policy = player("tiny", Sampling(temperature=0.8, max_new_tokens=12))
    episodes = rollout(played, {"agent": policy}, matches, seed=0)
    assert len({tuple(d.reply.text for d in e.decisions) for e in episodes}) > 3
    assert np.mean([d.fault is None for e in episodes for d in e.decisions]) >= legal
    model, _ = load("tiny")
    for episode in episodes:
        for seat in (0, 1):
            before = ()
            for decision in episode.of(seat):
                tokens = decision.reply.tokens
                before += tokens.prompt
                (plain,) = token_log_probs(model, [(before, tokens.completion)], 0.8)
                np.testing.assert_allclose(tokens.log_probs, plain, atol=1e-4)
                before += tokens.completion
    again = rollout(played, {"agent": policy}, matches, seed=0)
    assert [t.completion for t in recorded(again)] == [t.completion for t in recorded(episodes)]


def test_an_audit_s_exact_figures_are_those_of_the_local_engine(player, embedded):
    through, local = (
        audit(policy, KuhnPoker(), AuditSettings(deals=4)).agents[0].estimates["nash_conv"].value
        for policy in (player("tiny"), LanguageModelPolicy("agent", *embedded))
    )
    assert through == pytest.approx(local, abs=1e-5)


@pytest.mark.parametrize("case", RUNS)
def test_a_run_trains_on_what_the_engine_drew_under_the_weights_of_each_step(case, tmp_path):
    folder = train(parse_recipe({**STEPS, **RUNS[case]}), tmp_path / "run")
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    steps = [line for line in lines if "ratio_mean" in line]
    assert len(steps) == 3
    for line in steps:  # stale weights, or another's, would be far off
        assert line["ratio_mean"] == pytest.approx(1.0, abs=1e-4)
        assert line["ratio_max"] == pytest.approx(1.0, abs=1e-3)
        assert line["ratio_cut"] == 0.0
    assert (folder / "config.json").exists() or (folder / "adapter_config.json").exists()
