"""Damaged checkpoints: an older whole one is used, its newer neighbour is named, and nothing is silently other."""

import json
import shutil

import pytest

from equipoise.errors import UserError
from equipoise.training.checkpoints import MANIFEST, newest, rotate, seal, whole_lines
from equipoise.training.joint import JointPlay
from equipoise.training.recipe import parse_recipe
from equipoise.training.run import train

RECIPE = parse_recipe(
    {
        "play": {"rollouts": 2, "train_pool": ["tight"]},
        "rl": {"steps": 6, "save_every": 2, "exact_every": 9, "report_to": []},
    }
)
FILES = ("model.safetensors", "optimizer.pt", "scheduler.pt", "trainer_state.json", "rng_state.pth", MANIFEST)
PAST = parse_recipe(
    {
        "game": "prisoners_dilemma",
        "game_parameters": {"rounds": 1},
        "objective": {"rule": "naive"},
        "self_play": {"deals": 2, "rollouts": 2},
        "past": {"every": 2},
        "rl": {"steps": 6, "save_every": 2, "exact_every": 9, "exact_rounds": 0, "report_to": []},
    }
)
DAMAGE = {
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "empty": lambda path: path.write_bytes(b""),
    "rubbish": lambda path: path.write_bytes(b"\xff{}" * 9),
    "gone": lambda path: path.unlink(),
}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    out = tmp_path_factory.mktemp("unbroken") / "run"
    train(RECIPE, out)
    return out


class Killed(BaseException):
    """Stands in for a kill."""


def killed_in_its_sixth_step(recipe, out):
    """The folder of a run that holds the checkpoints of steps 2 and 4."""
    collect = JointPlay.collect

    def watched(self, policy, seed, step):
        if step == 5:
            raise Killed
        return collect(self, policy, seed, step)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JointPlay, "collect", watched)
        with pytest.raises(Killed):
            train(recipe, out)
    return out


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A killed run; it must not be changed."""
    return killed_in_its_sixth_step(RECIPE, tmp_path_factory.mktemp("killed") / "run")


@pytest.fixture
def out(killed, tmp_path):
    """A copy of the killed run, to be damaged."""
    return shutil.copytree(killed, tmp_path / "run")


@pytest.fixture(scope="module")
def past(tmp_path_factory):
    """An unbroken run against past selves, and a killed one that knows those of steps 0 and 2 (checkpoint 2: of 0)."""
    folder = tmp_path_factory.mktemp("past")
    train(PAST, folder / "unbroken")
    killed_in_its_sixth_step(PAST, folder / "run")
    return folder


def snapshot(out, step):
    return out / "population" / "prisoners_dilemma" / f"step-{step:06d}.safetensors"


def chosen(out):
    checkpoint, left = newest(out / "checkpoints", out / "metrics.jsonl")
    return checkpoint and checkpoint.step, left


def damage(out, name, how, step=4):
    DAMAGE[how](out / "checkpoints" / f"checkpoint-{step}" / name)


def assert_ends_as_unbroken(out, unbroken):
    for name in ("model/model.safetensors", "metrics.jsonl"):
        assert (out / name).read_bytes() == (unbroken / name).read_bytes()


def test_a_checkpoint_s_manifest_names_every_file_of_it(killed):
    folder = killed / "checkpoints" / "checkpoint-4"
    manifest = json.loads((folder / MANIFEST).read_text())
    assert set(manifest["sha256"]) == {path.name for path in folder.iterdir()} - {MANIFEST}
    assert set(FILES) - {MANIFEST} <= set(manifest["sha256"])
    assert chosen(killed) == (4, [])


@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_checkpoint_is_left_for_an_older_one_and_named(name, how, out):
    damage(out, name, how)
    step, (left,) = chosen(out)
    assert step == 2
    assert "checkpoint-4" in left
    assert name in left or (name, how) == (MANIFEST, "gone")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace('"optimizer.pt"', '"config.json"'),
        lambda text: json.dumps(json.loads(text) | {"state": None}),
        lambda text: json.dumps({key: value for key, value in json.loads(text).items() if key != "itself"}),
        lambda text: json.dumps([text]),
        lambda text: "[" * 100_000,
    ],
    ids=["another file", "another state", "without its own checksum", "a list", "deep"],
)
def test_a_manifest_that_changed_is_damaged_however_well_it_reads(change, out):
    path = out / "checkpoints" / "checkpoint-4" / MANIFEST
    path.write_text(change(path.read_text()))
    assert chosen(out) == (2, [f"left checkpoint-4: its {MANIFEST} is damaged"])


def test_a_folder_in_a_manifest_s_place_is_one_that_was_cut_off(out):
    path = out / "checkpoints" / "checkpoint-4" / MANIFEST
    path.unlink()
    path.mkdir()
    assert chosen(out) == (2, ["left checkpoint-4: was cut off while being saved"])


@pytest.mark.parametrize("name", ["optimizer.pt", "model.safetensors"])
def test_a_run_with_a_damaged_checkpoint_ends_with_the_same_weights(name, out, unbroken, capsys):
    damage(out, name, "gone" if name == "optimizer.pt" else "half")
    capsys.readouterr()
    train(RECIPE, out, resume=True)
    assert_ends_as_unbroken(out, unbroken)
    first = capsys.readouterr().err.splitlines()[0]
    assert "checkpoint-4" in first
    assert name in first
    assert first.endswith("going on from checkpoint-2")


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_past_self_is_taken_again_from_a_checkpoint_before_it(how, past, tmp_path, capsys):
    out = shutil.copytree(past / "run", tmp_path / "run")
    DAMAGE[how](snapshot(out, 2))
    DAMAGE[how](snapshot(out, 4))  # of after the last checkpoint: taken again in any case
    capsys.readouterr()
    train(PAST, out, resume=True)
    first = capsys.readouterr().err.splitlines()[0]
    verb = "gone" if how == "gone" else "damaged"
    assert first == f"left checkpoint-4: its past self {snapshot(out, 2)} is {verb}; going on from checkpoint-2"
    assert_ends_as_unbroken(out, past / "unbroken")
    for step in (0, 2, 4):
        assert snapshot(out, step).read_bytes() == snapshot(past / "unbroken", step).read_bytes()


@pytest.mark.parametrize("how", DAMAGE)
def test_a_past_self_that_no_checkpoint_can_make_again_is_one_line(how, past, tmp_path):
    out = shutil.copytree(past / "run", tmp_path / "run")
    DAMAGE[how](snapshot(out, 0))
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    with pytest.raises(UserError, match=r"no checkpoint in .* its past self .*; start over with --force") as caught:
        train(PAST, out, resume=True)
    assert str(snapshot(out, 0)) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


@pytest.mark.parametrize("line", [b'{"step": 3, "pay', b"\xff\xfe rubbish", b"", b'{"step": 9}', b"[" * 100_000, b"[]"])
def test_a_damaged_line_of_metrics_is_played_again_from_a_checkpoint_before_it(line, out, unbroken):
    metrics = out / "metrics.jsonl"
    lines = metrics.read_bytes().splitlines()
    metrics.write_bytes(b"\n".join([*lines[:2], line, *lines[3:]]) + b"\n")
    assert chosen(out)[0] == 2
    if line == b"[]":  # once in full
        train(RECIPE, out, resume=True)
        assert_ends_as_unbroken(out, unbroken)


def test_without_a_whole_checkpoint_the_run_says_so_and_changes_nothing(out):
    damage(out, "optimizer.pt", "gone")
    damage(out, "model.safetensors", "half", step=2)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    with pytest.raises(
        UserError, match=r"no checkpoint in .* can be used .*optimizer\.pt.*model\.safetensors"
    ) as caught:
        train(RECIPE, out, resume=True)
    assert "\n" not in str(caught.value)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


def test_a_first_checkpoint_that_was_cut_off_lets_the_run_begin_again(out, unbroken):
    shutil.rmtree(out / "checkpoints" / "checkpoint-4")
    (out / "checkpoints" / "checkpoint-2" / MANIFEST).unlink()
    assert chosen(out)[0] is None
    train(RECIPE, out, resume=True)
    assert_ends_as_unbroken(out, unbroken)


def test_folders_of_other_names_are_neither_read_nor_removed(out, unbroken):
    for name in ("checkpoint-x", "checkpoint-", "checkpoint-9-old"):
        (out / "checkpoints" / name).mkdir()
    assert chosen(out) == (4, [])
    train(RECIPE, out, resume=True)
    assert_ends_as_unbroken(out, unbroken)
    kept = {"checkpoint-x", "checkpoint-", "checkpoint-9-old", "checkpoint-4", "checkpoint-6"}
    assert {path.name for path in (out / "checkpoints").glob("checkpoint-*")} == kept


def test_rotation_keeps_the_newest_whole_checkpoint_beside_the_present_one(tmp_path):
    for step in (2, 4, 6, 8):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if step != 6:
            seal(tmp_path / f"checkpoint-{step}", step, {})
    rotate(tmp_path, 8)
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint-4", "checkpoint-8"}


def test_a_file_that_changed_its_folder_is_no_checkpoint(out):
    (out / "checkpoints" / "checkpoint-4").rename(out / "checkpoints" / "checkpoint-5")
    assert chosen(out)[0] == 2


def test_lines_are_whole_up_to_the_first_that_is_not(tmp_path):
    path = tmp_path / "metrics.jsonl"
    assert whole_lines(path) == []
    path.write_text('{"step": 1}\n{"step": 2}\n{"step": 4}\n')
    assert whole_lines(path) == ['{"step": 1}', '{"step": 2}']
