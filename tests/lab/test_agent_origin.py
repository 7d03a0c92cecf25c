"""Where an agent comes from: names that a user gives, and runs that are found from any folder in them."""

import shutil

import pytest

from equipoise.lab.agent_origin import fingerprint, name_and_source, run_of, run_recipe
from equipoise.models.tiny import FOLDER


@pytest.fixture
def run(tmp_path):
    """A run folder with a model and a checkpoint, as training leaves it."""
    folder = tmp_path / "r"
    for inside in (folder / "model", folder / "checkpoints" / "checkpoint-2"):
        shutil.copytree(FOLDER, inside)
    (folder / "recipe.toml").write_text('games = ["split", "auction"]\n[sampling]\ntemperature = 0.5\n')
    (folder / "versions.json").write_text("{}")
    return folder


@pytest.mark.parametrize("inside", [".", "model", "checkpoints/checkpoint-2"])
def test_a_run_is_found_from_its_folder_its_model_and_its_checkpoints(run, inside):
    assert run_recipe(str(run / inside)) == run / "recipe.toml"
    found = run_of(str(run / inside))
    assert (found.names, found.sampling.temperature) == (("split", "auction"), 0.5)


def test_a_model_in_no_run_has_no_recipe(run, tmp_path, monkeypatch):
    shutil.copytree(FOLDER, run / "elsewhere" / "deep" / "model")
    (run / "versions.json").unlink()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny").symlink_to(run)  # the embedded model of that name comes first
    for source in (str(run / "elsewhere" / "deep" / "model"), "tiny", "owner/name", "nowhere"):
        assert run_recipe(source) is None
        assert run_of(source) is None


def test_a_run_without_a_model_yet_says_how_to_go_on_and_a_recipe_beside_a_model_is_its_own(run):
    shutil.rmtree(run / "model")
    with pytest.raises(ValueError, match=r"has no model yet: .* equipoise train .*recipe\.toml --resume --out "):
        run_recipe(str(run))
    shutil.copytree(FOLDER, run, dirs_exist_ok=True)
    assert run_recipe(str(run)) == run / "recipe.toml"


def test_an_agent_may_bear_a_name_and_a_folder_with_an_equals_sign_is_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a=b").mkdir()
    assert name_and_source("mine=runs/x") == ("mine", "runs/x")
    assert name_and_source("mine=a=b") == ("mine", "a=b")
    for alone in ("runs/x", "a=b", "runs/x=y", "=runs/x"):
        assert name_and_source(alone) == ("", alone)


@pytest.mark.parametrize("text", ["mine=", ""])
def test_a_name_without_an_agent_is_one_line(text):
    with pytest.raises(ValueError, match=f"got an agent without a source: '{text}'; write NAME=AGENT"):
        name_and_source(text)


def test_a_fingerprint_follows_the_weights_and_not_the_place(tmp_path):
    for name in ("a/model", "b"):
        shutil.copytree(FOLDER, tmp_path / name)
    first, second = (fingerprint(str(tmp_path / name)) for name in ("a", "b"))
    assert first == second == fingerprint("tiny")
    assert fingerprint("owner/name") == "owner/name"
    weights = tmp_path / "b" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\1\0\1")
    assert fingerprint(str(tmp_path / "b")) != first
