"""What a model's name stands for: mistyped folders are never taken for somebody's model on the Hub."""

import shutil

import pytest

from equipoise.models import EMBEDDED
from equipoise.models.sources import folder_of, is_hub_id, model_folder, model_in


@pytest.mark.parametrize("name", ["google/gemma-3-270m", "Qwen/Qwen3-0.6B", "a/b", "my_org/x.y"])
def test_an_owner_and_a_name_are_a_hub_id(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    assert is_hub_id(name)
    (tmp_path / name.split("/")[0]).mkdir()
    assert not is_hub_id(name)


@pytest.mark.parametrize(
    "name", ["runs/mine", "mine", "a/b/c", "mine/", "./mine", "../mine", "/mine", "~/mine", "a b/c", "a/b\n", "", "/"]
)
def test_a_path_is_none(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    assert not is_hub_id(name)


def test_an_embedded_model_comes_before_a_folder_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny").mkdir()
    assert folder_of("tiny") == EMBEDDED["tiny"]
    assert folder_of("mine") == folder_of(tmp_path / "mine").relative_to(tmp_path)


@pytest.mark.parametrize("settings", ["config.json", "adapter_config.json"])
def test_a_model_is_found_in_its_folder_and_in_its_run(tmp_path, settings):
    assert model_in(tmp_path) is None
    (tmp_path / settings).write_text("{}")
    assert model_folder(tmp_path) == tmp_path
    (tmp_path / "model").mkdir()
    assert model_folder(tmp_path) == tmp_path
    shutil.copy(tmp_path / settings, tmp_path / "model")
    assert model_folder(tmp_path) == tmp_path / "model"


def test_a_file_is_one_line(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match="file is a file; give the folder that holds the model"):
        model_folder(tmp_path / "file")
