"""Two agents on one base: each plays its own seat, learns from its own tokens alone, and is saved for itself."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from transformers import TrainerCallback

from equipoise.arena import Match, rollout
from equipoise.engines.local import wearing
from equipoise.engines.plain_scoring import token_log_probs
from equipoise.games import domain, make_game
from equipoise.games.wrapped import WrappedGame, WrappedState
from equipoise.models.load import load
from equipoise.objectives.rules import rule
from equipoise.objectives.sepo import CreditWeights
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.seeds import Seed
from equipoise.training import self_play
from equipoise.training.adapters import FIRST, SECOND, add_second, weights_of
from equipoise.training.checkpoints import newest
from equipoise.training.joint import weighted
from equipoise.training.loss import examples_of
from equipoise.training.passes import RowPass, passes
from equipoise.training.play import AGENT, Experience
from equipoise.training.population import PastSettings
from equipoise.training.recipe import parse_recipe
from equipoise.training.rows import NOT_OURS, Row, Side, credited_rows, merged, per_turn, transcript_row
from equipoise.training.run import train
from equipoise.training.self_play import Credit, SelfPlaySettings
from equipoise.training.trainer import StepSettings, TwoAgentTrainer
from equipoise.training.two_agents import TwoAgentPlay

GAME = "prisoners_dilemma"
LORA = LoraConfig(r=4, lora_alpha=8.0, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")


def two_adapters(base, spread=0.3):
    """A model with two adapters that differ from one another and from nothing."""
    model = get_peft_model(base, LORA)
    add_second(model)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter += spread * torch.randn(parameter.shape, generator=generator)
    return model.eval()


def parameters(model):
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def adapter_of(model, adapter):
    return weights_of(parameters(model), adapter)


def base_of(weights):
    return {name: value for name, value in weights.items() if "lora_" not in name}


def made(adapter, seed, size=5.0):
    """Credited rows of one adapter, of unequal length, with tokens of the other player between their own."""
    rng = np.random.default_rng(seed)
    rows, weights = [], []
    for _ in range(3):
        prompt = tuple(rng.integers(5, 600, size=rng.integers(3, 9)).tolist())
        turn = [0] * int(rng.integers(1, 4)) + [NOT_OURS] * 3 + [1] * int(rng.integers(1, 4))
        completion = tuple(rng.integers(5, 600, size=len(turn)).tolist())
        rows.append(Row(prompt, completion, tuple(turn), adapter=adapter))
        weights.append(np.where(np.array(turn) == NOT_OURS, 0.0, rng.normal(size=len(turn)) * size))
    return Experience(rows, weights, np.ones(3, dtype=int), 3, {"fault_rate": 0.0})


def settings_of(steps, pass_tokens=1000, rate=1e-2):
    return StepSettings(steps, rate, pass_tokens=pass_tokens, on_cpu=True)


def stepped_alone(base, start, experiences, rate=1e-2):
    """A model's only adapter after AdamW steps on its own rows, written out: policy gradient, clipping, decay."""
    model = get_peft_model(base, LORA).eval()
    own = {name: p for name, p in model.named_parameters() if p.requires_grad}
    with torch.no_grad():
        for name, value in start.items():
            own[name].copy_(value)
    optimizer = torch.optim.AdamW(own.values(), lr=rate, betas=(0.9, 0.99), weight_decay=0.0)
    for number, experience in enumerate(experiences):
        loss = 0.0
        for row, weight in zip(experience.rows, experience.weights, strict=True):
            ids = torch.tensor([row.prompt + row.completion])
            scores = torch.log_softmax(model(input_ids=ids).logits[0].float(), dim=-1)[len(row.prompt) - 1 : -1]
            chosen = scores.gather(1, torch.tensor(row.completion)[:, None])[:, 0]
            loss = loss - (torch.tensor(weight) * chosen).sum() / experience.episodes
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(own.values()), 1.0)
        optimizer.param_groups[0]["lr"] = rate * (1 - number / len(experiences))
        optimizer.step()
    return {name: p.detach() for name, p in own.items()}


@pytest.mark.parametrize("pass_tokens", [1000, 30])
@pytest.mark.parametrize("architecture", ["llama", "qwen3_5"])
def test_two_steps_of_two_agents_are_those_of_each_agent_alone(
    new_model, tokenizer, tmp_path, architecture, pass_tokens
):
    torch.manual_seed(0)  # adapters are drawn; AdamW makes whole steps of gradients that are rounding alone
    model = two_adapters(new_model(architecture))
    before = parameters(model)
    agents = {"": FIRST, SECOND: SECOND}
    # gradients of very different size: one norm for both adapters would clip the smaller one away
    sizes = {"": (0.01, 3.0), SECOND: (40.0, 5.0)}
    parts = {a: [made(a, 2 * number + bool(a), sizes[a][number]) for number in (0, 1)] for a in agents}
    alone = {
        adapter: stepped_alone(new_model(architecture), adapter_of(model, adapter), parts[name])
        for name, adapter in agents.items()
    }

    def collect(step):
        return weighted({agents[name]: part[step] for name, part in parts.items()}, 1.0)

    TwoAgentTrainer(model, tokenizer, settings_of(2, pass_tokens), tmp_path, collect).train()
    after = parameters(model)
    for adapter in (FIRST, SECOND):
        own, start = weights_of(after, adapter), weights_of(before, adapter)
        assert own.keys() == alone[adapter].keys()
        for name, value in alone[adapter].items():
            assert torch.allclose(own[name], value, atol=1e-5), (adapter, name)
            assert not torch.allclose(own[name], start[name], atol=1e-3)
    assert all(torch.equal(value, before[name]) for name, value in base_of(after).items())


class _Gradients(TrainerCallback):
    """Copies the gradients as the optimizer is about to use them."""

    def on_pre_optimizer_step(self, args, state, control, model=None, **kwargs):
        self.found = {n: None if p.grad is None else p.grad.clone() for n, p in model.named_parameters()}


@pytest.mark.parametrize(("adapter", "other"), [("", SECOND), (SECOND, FIRST)])
def test_the_rows_of_one_agent_leave_the_other_exactly_as_it_was(new_model, tokenizer, tmp_path, adapter, other):
    model = two_adapters(new_model())
    before, seen = parameters(model), _Gradients()
    config = settings_of(1, pass_tokens=30)
    TwoAgentTrainer(model, tokenizer, config, tmp_path, lambda step: made(adapter, 0), callbacks=[seen]).train()
    after = parameters(model)
    assert all(value is None for value in weights_of(seen.found, other).values())
    assert any(value.abs().max() > 0 for value in weights_of(seen.found, adapter or FIRST).values())
    moved = {name for name in after if not torch.equal(after[name], before[name])}
    assert moved
    assert all(f".{adapter or FIRST}." in name for name in moved)


@pytest.mark.parametrize("architecture", ["llama", "qwen3_5"])
def test_each_row_of_a_step_goes_through_its_own_adapter(new_model, architecture):
    model = two_adapters(new_model(architecture))
    examples = [example for name in ("", SECOND) for example in examples_of(made(name, 3 + bool(name)))]
    mixed = sum(part.loss(model).item() for part in passes(model, examples, 1000))
    alone = []
    for adapter in (FIRST, SECOND):
        model.set_adapter(adapter)
        for name in ("", SECOND):
            own = [replace(example, adapter="") for example in examples if example.adapter == name]
            alone.append(RowPass(own).loss(model.eval()).item())
    assert mixed == pytest.approx(alone[0] + alone[3], rel=1e-5)
    assert abs(alone[1] + alone[2] - mixed) > 0.1


def test_rows_of_two_agents_are_never_merged():
    rows = [Row((1,), (2, 3), (0, 0), adapter=adapter) for adapter in ("", SECOND, "")]
    distinct, sums, counts = merged(rows, [np.full(2, 1.0), np.full(2, 10.0), np.full(2, 100.0)], [1, 1, 1])
    assert [row.adapter for row in distinct] == ["", SECOND]
    assert [s.tolist() for s in sums] == [[101.0] * 2, [10.0] * 2]
    assert counts.tolist() == [2, 1]


def test_credited_and_cut_rows_keep_their_agent(embedded):
    policy = LanguageModelPolicy(AGENT, *embedded)
    game = make_game(GAME, rounds=2)
    (episode,) = rollout(game, {AGENT: policy}, [Match((AGENT, AGENT), 0)], seed=1)
    sides = [Side(episode, 0, episode.of(0), adapter) for adapter in ("", SECOND)]
    rows = credited_rows(sides, np.ones((2, 2)), game.max_slots)
    assert [row.adapter for row in rows[0]] == ["", SECOND]
    assert [row.adapter for row in per_turn(*rows)[0]] == ["", "", SECOND, SECOND]


@pytest.fixture
def agent():
    base, tokenizer = load("tiny")
    return LanguageModelPolicy(AGENT, two_adapters(base, spread=0.05), tokenizer)


def play_of(folder, past=None, game=None, **settings):
    chosen = SelfPlaySettings(**{"deals": 4, "rollouts": 6, "agents": "two", "trained": "both", **settings})
    credit = Credit(rule("naive").credits, CreditWeights(discount=0.9))
    game = game or make_game(GAME, rounds=2)
    return TwoAgentPlay(game, domain(GAME).corrected, chosen, past or PastSettings(probability=0.0), credit, folder)


@pytest.fixture
def watched(monkeypatch):
    """The episodes of the last collect."""
    seen = []

    def recorded(*args, **kwargs):
        seen[:] = rolled(*args, **kwargs)
        return list(seen)

    rolled = self_play.play_together
    monkeypatch.setattr(self_play, "play_together", recorded)
    return seen


def assert_sampled_from(model, row, weights):
    """A row's recorded log-probabilities are those of the model whose active adapter has these weights."""
    ours = np.array(row.turn) != NOT_OURS
    with wearing(model, weights):
        (scores,) = token_log_probs(model, [(row.prompt, row.completion)])
    assert np.allclose(scores[ours], np.array(row.log_probs)[ours], atol=1e-4)


def test_each_seat_is_sampled_from_its_own_agent_and_nothing_is_switched_afterwards(agent, tmp_path, watched):
    model, before = agent.engine.model, parameters(agent.engine.model)
    play_of(tmp_path).collect(agent, Seed(3).at(0), 0)
    assert {episode.policies for episode in watched} == {(AGENT, SECOND)}
    for episode in watched[:4]:
        for seat, adapter in enumerate((FIRST, SECOND)):
            assert_sampled_from(model, transcript_row(episode, seat), adapter_of(model, adapter))
    with pytest.raises(AssertionError):  # the agents differ by more than the tolerance
        assert_sampled_from(model, transcript_row(watched[0], 1), adapter_of(model, FIRST))
    assert model.active_adapters == [FIRST]
    assert all(p.requires_grad == ("lora_" in name) for name, p in model.named_parameters())
    assert all(torch.equal(value, before[name]) for name, value in parameters(model).items())


def test_each_agent_is_credited_with_its_own_advantage_and_has_a_mean_of_its_own(agent, tmp_path, watched):
    experience = play_of(tmp_path).collect(agent, Seed(3).at(0), 0)
    expected = {}
    for start in range(0, 24, 6):
        for seat in (0, 1):
            pay = np.array([[r[seat] for r in e.rewards] for e in watched[start : start + 6]])
            gains = np.stack([pay[:, 0] + 0.9 * pay[:, 1], pay[:, 1]], axis=1)
            advantages = gains - (gains.sum(axis=0) - gains) / 5
            for episode, advantage in zip(watched[start : start + 6], advantages, strict=True):
                row = transcript_row(episode, seat)
                rounds = [decision.round for decision in episode.of(seat)]
                credit = np.array([0.0 if turn == NOT_OURS else advantage[rounds[turn]] for turn in row.turn])
                key = (SECOND if seat else "", row.prompt, row.completion)
                expected[key] = expected.get(key, 0.0) + credit
    assert {(row.adapter, row.prompt, row.completion) for row in experience.rows} == expected.keys()
    # 24 sides each: what the trainer divides by 48 counts twice
    assert (experience.episodes, experience.counts.sum()) == (48, 96)
    for row, weight in zip(experience.rows, experience.weights, strict=True):
        assert np.allclose(weight, 2 * expected[row.adapter, row.prompt, row.completion])


def test_each_agent_meets_the_others_past_and_the_past_is_not_trained(agent, tmp_path, watched):
    play, model = play_of(tmp_path, PastSettings(every=1, probability=1.0)), agent.engine.model
    play.collect(agent, Seed(3).at(0), 0)
    old = {adapter: adapter_of(model, adapter) for adapter in (FIRST, SECOND)}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter *= -1.0
    experience = play.collect(agent, Seed(3).at(1), 1)
    assert {episode.policies for episode in watched} == {(AGENT, "second-past-0"), ("past-0", SECOND)}
    for episode in (watched[0], watched[6]):
        learner = episode.policies.index(AGENT if AGENT in episode.policies else SECOND)
        now, then = (FIRST, SECOND)[learner], (FIRST, SECOND)[1 - learner]
        assert_sampled_from(model, transcript_row(episode, learner), adapter_of(model, now))
        assert_sampled_from(model, transcript_row(episode, 1 - learner), old[then])
    trained = {(row.adapter, row.completion) for row in experience.rows}
    ours = {("", transcript_row(e, 0).completion) for e in watched if e.policies[0] == AGENT}
    ours |= {(SECOND, transcript_row(e, 1).completion) for e in watched if e.policies[1] == SECOND}
    assert trained == ours
    assert experience.episodes == 24
    assert {"agent/payoff_past", "second/payoff_past"} <= experience.metrics.keys()


def test_scripts_and_frozen_models_take_the_other_agents_seat(agent, tmp_path, watched):
    past = PastSettings(probability=1.0, scripts=("always_defect",), frozen="tiny")
    metrics = play_of(tmp_path, past, deals=12).collect(agent, Seed(3).at(0), 0).metrics
    others = ("always_defect", "frozen")
    assert {e.policies for e in watched} == {p for other in others for p in ((AGENT, other), (other, SECOND))}
    assert {f"{a}/payoff_{other}" for a in (AGENT, SECOND) for other in others} <= metrics.keys()


def test_an_agent_that_only_its_past_stands_for_learns_nothing_in_that_step(agent, tmp_path):
    past = PastSettings(probability=1.0, scripts=("always_defect",))
    experience = play_of(tmp_path, past, deals=1).collect(agent, Seed(3).at(0), 0)
    assert {row.adapter for row in experience.rows} == {""}
    assert experience.episodes == 6


def test_without_groups_each_agent_is_compared_with_itself(agent, tmp_path, watched):
    past = PastSettings(probability=1.0, scripts=("always_defect",))
    experience = play_of(tmp_path, past, baseline="batch").collect(agent, Seed(3).at(0), 0)
    for seat, adapter in enumerate(("", SECOND)):
        mine = [e for e in watched if e.policies[seat] == (AGENT, SECOND)[seat]]
        gains = np.array([e.rewards[0][seat] + 0.9 * e.rewards[1][seat] for e in mine])
        advantages = gains - (gains.sum() - gains) / (len(mine) - 1)
        total = {}
        for episode, advantage in zip(mine, advantages, strict=True):
            key = transcript_row(episode, seat).completion
            total[key] = total.get(key, 0.0) + 2 * advantage
        found = {
            r.completion: w[0] for r, w in zip(experience.rows, experience.weights, strict=True) if r.adapter == adapter
        }
        assert found == pytest.approx(total)


BASE = {
    "game": GAME,
    "game_parameters": {"rounds": 2},
    "objective": {"rule": "advantage_alignment", "kl": 0.05, "discount": 0.9},
    "self_play": {"agents": "two", "trained": "both", "deals": 2, "rollouts": 3},
    "past": {"every": 2, "probability": 0.5},
    "rl": {"steps": 5, "save_every": 2, "learning_rate": 3e-3, "exact_every": 3, "exact_rounds": 0, "report_to": []},
    "lora": {"rank": 4, "alpha": 64.0},
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"lora": {}}, r'self_play.agents = "two" with lora.rank = 0: .*set lora.rank above 0'),
        ({"selection": {"every": 1}}, "with selection.every above 0"),
        ({"hardware": {"gradient_checkpointing": True}}, "with hardware.gradient_checkpointing"),
        ({"objective": {"rule": ["naive", "own_pool"]}}, "with one of SEPO's rules"),
        (
            {
                "game": "",
                "game_parameters": {},
                "games": [GAME, "split_items"],
                "by_game": {"split_items": {"self_play": {"agents": "one"}}},
            },
            "with a game without",
        ),
    ],
)
def test_what_two_agents_cannot_have_is_one_line_and_leaves_no_folder(change, said, tmp_path):
    with pytest.raises(ValueError, match=said) as caught:
        train(parse_recipe({**BASE, **change}), tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"agents": "three"}, "agents='three'; allowed: one, two"),
        ({"agents": "two"}, 'agents="two" with trained="one"; two agents are both trained: set trained = "both"'),
    ],
)
def test_settings_that_make_no_sense_are_one_line(settings, said):
    with pytest.raises(ValueError, match=said):
        SelfPlaySettings(**settings)


def saved(folder):
    (path,) = folder.glob("*.safetensors")
    return load_file(path)


def test_both_agents_are_saved_as_folders_that_load(tmp_path, monkeypatch):
    made = []
    start = TwoAgentTrainer.__init__
    monkeypatch.setattr(
        TwoAgentTrainer, "__init__", lambda self, model, *a, **k: (made.append(model), start(self, model, *a, **k))[1]
    )
    sft = {"demonstrations": {"experts": {"always_defect": 1.0}, "episodes": 4}, "sft": {"steps": 1}}
    out = tmp_path / "run"
    recipe = parse_recipe({**BASE, **sft, "rl": {**BASE["rl"], "steps": 2}})
    assert train(recipe, out) == out / "model"
    (model,) = made
    rows = [((1, 2, 3), (4, 5, 6))]
    found = []
    for adapter, folder in ((FIRST, out), (SECOND, out / "model" / "second")):
        loaded, _ = load(folder)
        assert list(loaded.peft_config) == [FIRST]
        with wearing(model, adapter_of(model, adapter)):
            expected = token_log_probs(model, rows)[0]
        found.append(token_log_probs(loaded, rows)[0])
        assert np.allclose(found[-1], expected, atol=1e-5)
    assert np.abs(found[0] - found[1]).max() > 1e-3
    assert (out / "sft" / "config.json").is_file()


class Killed(BaseException):
    """Stands in for a kill: nothing in the run may catch it."""


@pytest.mark.slow
@pytest.mark.parametrize("step", [1, 4])
def test_a_killed_run_of_two_agents_resumes_to_the_same_weights_and_curve(tmp_path, monkeypatch, step):
    collect = TwoAgentPlay.collect

    def killed(self, policy, seed, number):
        if number == step:
            raise Killed
        return collect(self, policy, seed, number)

    recipe, out, whole = parse_recipe(BASE), tmp_path / "run", tmp_path / "unbroken"
    with monkeypatch.context() as patch:
        patch.setattr(TwoAgentPlay, "collect", killed)
        with pytest.raises(Killed):
            train(recipe, out)
    resumed_from, _ = newest(out / "checkpoints", out / "metrics.jsonl")
    assert (resumed_from and resumed_from.step) == (None if step == 1 else 4)
    train(recipe, out, resume=True)
    train(recipe, whole)
    for inside in ("model", "model/second"):
        first, second = saved(out / inside), saved(whole / inside)
        assert first.keys() == second.keys()
        assert all(torch.equal(first[name], second[name]) for name in first)
    lines = (whole / "metrics.jsonl").read_text()
    assert (out / "metrics.jsonl").read_text() == lines
    assert {"agent/payoff_self", "second/payoff_self", "kl"} <= json.loads(lines.splitlines()[0]).keys()


@pytest.mark.slow
def test_both_agents_learn_in_every_step_of_a_run(tmp_path):
    recipe = parse_recipe({**BASE, "past": {"probability": 0.0}, "rl": {**BASE["rl"], "save_every": 1}})
    train(recipe, tmp_path / "run")
    before, after = (tmp_path / "run" / "checkpoints" / f"checkpoint-{step}" for step in (4, 5))
    for inside in (".", SECOND):
        first, second = saved(before / inside), saved(after / inside)
        assert any(not torch.equal(first[name], second[name]) for name in first)


@dataclass(frozen=True, slots=True)
class OpposedState(WrappedState):
    """One round in which the first seat is paid for cooperating and the second for defecting."""

    paid: tuple[float, float] = (0.0, 0.0)

    @property
    def rewards(self):
        return self.paid

    @property
    def returns(self):
        return self.paid

    def child(self, actions):
        paid = (float(actions[0] == "cooperate"), float(actions[1] == "defect"))
        return OpposedState(self.inner.child(actions), paid)

    def forfeit(self, seat):
        return OpposedState(self.inner.forfeit(seat))


class Opposed(WrappedGame):
    def initial_state(self):
        return OpposedState(self._game.initial_state())


@pytest.mark.slow
def test_two_agents_with_opposite_goals_are_both_learned(tmp_path):
    base, tokenizer = load("tiny")
    torch.manual_seed(0)
    model = get_peft_model(base, LORA)
    add_second(model)
    policy = LanguageModelPolicy(AGENT, model, tokenizer)
    play = play_of(tmp_path / "past", game=Opposed(make_game(GAME, rounds=1)), deals=1, rollouts=64)
    begun = play.collect(policy, Seed(7).at(0), 0).metrics
    config = settings_of(40, rate=2e-2)
    TwoAgentTrainer(
        model, tokenizer, config, tmp_path, lambda step: play.collect(policy, Seed(0).at(step), step)
    ).train()
    model.eval()
    ended = play.collect(policy, Seed(7).at(1), 1).metrics
    # the same prompt, one base: at the start both do the same, and what one is paid for the other is not
    assert begun["agent/payoff_self"] + begun["second/payoff_self"] < 1.2
    assert ended["agent/payoff_self"] > 0.95
    assert ended["second/payoff_self"] > 0.95
