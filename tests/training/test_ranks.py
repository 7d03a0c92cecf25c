"""Several processes train one model: the result is that of one process, whatever their number."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from equipoise.arena import Match, rollout
from equipoise.arena.records import packed, unpacked
from equipoise.errors import UserError
from equipoise.games import make_game
from equipoise.metrics.learned import explorer
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.policies.scripted import ScriptedPolicy
from equipoise.training import ranks
from equipoise.training.ranks import Ranks, joined, play_together, score_together

FSDP = Path(__file__).parents[2] / "examples" / "fsdp.yaml"
LAUNCH = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node"]

SEPO = """
game = "kuhn_poker"
model = "tiny"
[game_parameters]
hands = 1
[demonstrations]
experts = { nash = 1.0 }
episodes = 60
[sft]
steps = 6
batch_size = 15
validate_every = 3
[play]
rollouts = 4
adversaries = ["best_response", "learned"]
learned_episodes = 30
[objective]
kl = 0.05
entropy = 0.01
[selection]
every = 2
deals = 4
[rl]
steps = 4
exact_every = 2
save_every = 2
pass_tokens = 700
report_to = []
"""

TWO_AGENTS = """
game = "prisoners_dilemma"
model = "tiny-talk"
[lora]
rank = 4
[self_play]
agents = "two"
trained = "both"
deals = 5
rollouts = 3
[past]
every = 2
[objective]
rule = "advantage_alignment"
[rl]
steps = 4
exact_every = 2
report_to = []
"""


def started(start, recipe, out, *more, **options):
    """A training that is under way in processes of their own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    command = [*start, "train", str(recipe), "--no-audit", "--out", str(out), *more]
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return subprocess.Popen(command, env=environment, **pipes, **options)


def trained(count, recipe, out, *more, start=()):
    """The standard error stream of a training by so many processes that ended well."""
    first = start or ([*LAUNCH, str(count), "-m", "equipoise"] if count > 1 else [sys.executable, "-m", "equipoise"])
    with started(first, recipe, out, *more) as child:
        said, warned = child.communicate(timeout=300)
    assert child.returncode == 0, warned[-3000:]
    assert said.splitlines() == [f"model: {out / 'model'}"]
    return warned


def weights(out):
    """Every tensor of a run's model, those of both agents."""
    found = {}
    for path in sorted((out / "model").rglob("*.safetensors")):
        found |= {(path.relative_to(out).as_posix(), name): value for name, value in load_file(path).items()}
    return found


def lines(out, name="metrics.jsonl"):
    return [json.loads(line) for line in (out / name).read_text().splitlines()]


def assert_same(out, alone):
    """What two runs tell is the same to 1e-5, and their weights as a whole are to 1e-4 of their norm.

    Adam makes a whole step of any gradient, so single weights whose gradient is rounding alone may differ by more.
    """
    found, expected = weights(out), weights(alone)
    assert found.keys() == expected.keys()
    apart = sum(float((found[name] - expected[name]).square().sum()) for name in expected)
    assert apart < 1e-8 * sum(float(value.square().sum()) for value in expected.values())
    for name in ("metrics.jsonl", "sft.jsonl"):
        if (alone / name).exists():
            assert [list(line) for line in lines(out, name)] == [list(line) for line in lines(alone, name)]
            for line, other in zip(lines(out, name), lines(alone, name), strict=True):
                assert list(line.values()) == pytest.approx(list(other.values()), abs=1e-5)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The SEPO recipe, and its run by one process."""
    folder = tmp_path_factory.mktemp("alone")
    (folder / "sepo.toml").write_text(SEPO)
    trained(1, folder / "sepo.toml", folder / "run")
    return folder / "sepo.toml", folder / "run"


def test_two_processes_train_what_one_does(alone, tmp_path):
    """Imitation, both adversaries, the divergence, passes of unequal number, the choice of a checkpoint."""
    recipe, expected = alone
    warned = trained(2, recipe, tmp_path / "run")
    assert_same(tmp_path / "run", expected)
    assert (
        json.loads((tmp_path / "run/selection.json").read_text())["chosen"]
        == (json.loads((expected / "selection.json").read_text())["chosen"])
    )
    assert warned.count("supervised 6/6") == 1  # one process talks


def test_three_processes_share_what_does_not_divide_between_them(tmp_path):
    """Two agents, past selves, 15 episodes in 5 groups of which no process has whole ones alone."""
    recipe = tmp_path / "two.toml"
    recipe.write_text(TWO_AGENTS)
    trained(1, recipe, tmp_path / "alone")
    trained(3, recipe, tmp_path / "run")
    assert len(weights(tmp_path / "run")) == 2 * len(load_file(tmp_path / "run/model/adapter_model.safetensors"))
    assert_same(tmp_path / "run", tmp_path / "alone")


def test_divided_weights_train_the_same(alone, tmp_path):
    """FSDP by accelerate's configuration: each process holds a part of the weights and of the optimizer's state."""
    recipe, expected = alone
    out = tmp_path / "run"
    divided = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(FSDP)]
    divided += ["--main_process_port", "0", str(Path(__file__).with_name("fsdp_on_cpu.py"))]
    trained(2, recipe, out, start=divided)
    assert_same(out, expected)
    assert not list((out / "checkpoints").glob("*"))  # a part of the weights is no checkpoint


def test_ctrl_c_saves_and_another_number_of_processes_goes_on(alone, tmp_path):
    """One signal reaches every process twice, from the terminal and from what started them."""
    recipe, expected = alone
    out = tmp_path / "run"
    with started([*LAUNCH, "2", "-m", "equipoise"], recipe, out, start_new_session=True) as child:
        deadline = time.monotonic() + 200
        while not ((out / "metrics.jsonl").exists() and lines(out)):
            assert child.poll() is None, child.stderr.read()[-3000:]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.killpg(child.pid, signal.SIGINT)
        _, warned = child.communicate(timeout=100)
    assert child.returncode != 0
    if not (out / "model").exists():  # else it was too late to stop it
        assert f"stopped after step {len(lines(out))}; continue with --resume --out {out}" in warned
    trained(1, recipe, out, "--resume")
    assert_same(out, expected)


@pytest.mark.parametrize("engine", ["vllm", "tinker"])
def test_an_engine_that_one_process_drives_says_so(monkeypatch, engine):
    """Before anything is made."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    with (
        pytest.raises(UserError, match=rf"^got 2 processes and --engine {engine}, .* use --engine local"),
        joined("cpu", engine),
    ):
        pass


def test_an_old_way_to_divide_weights_is_refused(monkeypatch):
    """It is what accelerate takes where its configuration does not say."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv(ranks.SHARDED, "true")
    monkeypatch.delenv("FSDP_VERSION", raising=False)
    with pytest.raises(UserError, match=r"^got FSDP version 1 .* set fsdp_version: 2"), joined("cpu", "local"):
        pass


def test_a_process_that_is_gone_is_one_line():
    """What the others find out of it is that it does not answer."""

    def gone(*given, group):
        raise RuntimeError("Connection closed by peer [127.0.0.1]\nand more")

    with pytest.raises(UserError, match=r"^another process of this run has ended \(Connection closed .*--resume$"):
        Ranks(0, 2)._talk(gone)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_parts_are_all_of_a_list_in_order(count):
    """Also where there are more processes than things."""
    parts = [list(range(5))[Ranks(rank, count).part(5)] for rank in range(count)]
    assert [one for part in parts for one in part] == list(range(5))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("count", [1, 2, 3])
def test_texts_are_divided_by_tokens_and_beginnings(count):
    """A long text counts as many short ones; neighbours in order stay together."""
    rng = np.random.default_rng(3)
    texts = [tuple(rng.integers(0, 3, rng.integers(1, 40)).tolist()) for _ in range(60)]
    parts = Ranks(0, count).divided(texts)
    assert sorted(i for part in parts for i in part) == list(range(60))
    assert [texts[i] for part in parts for i in part] == sorted(texts)
    sizes = [sum(len(texts[i]) for i in part) for part in parts]
    assert max(sizes) - min(sizes) <= 2 * 40
    assert Ranks(0, count).divided([]) == [[]] * count


def test_part_of_the_matches_plays_as_in_the_whole():
    """An episode's number keys what it draws, wherever it is played."""
    game = make_game("kuhn_poker", hands=2)
    someone = explorer(game)
    matches = [Match((someone.name, someone.name), deal) for deal in range(9)]
    players = {someone.name: ScriptedPolicy(someone)}
    together = rollout(game, players, matches, seed=4)
    assert together[:4] + rollout(game, players, matches[4:], seed=4, first=4) == together
    assert play_together(game, players, matches, seed=4) == together


def test_episodes_reach_another_process_as_they_are(embedded):
    """Tokens and log-probabilities to the last bit, and texts that end a line elsewhere."""
    game, agent = make_game("kuhn_poker", hands=1), LanguageModelPolicy("agent", *embedded)
    episodes = rollout(game, {"agent": agent}, [Match(("agent", "agent"), deal) for deal in range(4)], seed=1)
    decision = episodes[0].decisions[0]
    odd = replace(decision, reply=replace(decision.reply, text="a\u2028b\x85\ud83d\ude00\r\n"))
    episodes.append(replace(episodes[0], decisions=(odd,)))
    assert unpacked(packed(episodes)) == episodes
    assert unpacked(packed([])) == []


@pytest.mark.parametrize("count", [2, 3, 7])
def test_scores_keep_their_order(monkeypatch, count):
    """Each process scores its part and all get all: replies of any length, also of none; some of seven have no text."""
    pairs = [((1, 2), (3,)), ((1,), (2, 3, 4)), ((0, 5), ()), ((1, 2), (4, 4))]

    def scored(some):
        return [np.array([prompt[0] + token / 7 for token in reply]) for prompt, reply in some]

    told = []

    def tells(self, data):
        told.append(data)
        raise StopIteration

    monkeypatch.setattr(Ranks, "gathered", tells)
    for rank in range(count):
        monkeypatch.setattr(ranks, "_here", Ranks(rank, count))
        with pytest.raises(StopIteration):
            score_together(scored)(pairs)
    monkeypatch.setattr(Ranks, "gathered", lambda self, data: told)
    found = score_together(scored)(pairs)
    assert [score.tolist() for score in found] == [score.tolist() for score in scored(pairs)]
