"""Run folders: `--force` removes what a run wrote and nothing else."""

import pytest

from equipoise.errors import UserError
from equipoise.training.folder import open_folder
from equipoise.training.recipe import Recipe


@pytest.fixture
def out(tmp_path):
    """The folder of a run that has some results."""
    out = tmp_path / "run"
    open_folder(Recipe(), out, {"torch": "1"})
    for folder in ("model", "checkpoints/checkpoint-2", "kuhn_poker"):
        (out / folder).mkdir(parents=True)
    for name in ("metrics.jsonl", "model/config.json", "kuhn_poker/report.html", "episodes-split.jsonl.gz"):
        (out / name).write_text("x")
    return out


def forced(out, **options):
    open_folder(Recipe(seed=1), out, {"torch": "2"}, force=True, **options)


def test_force_leaves_nothing_of_the_old_run(out):
    forced(out)
    assert {path.name for path in out.iterdir()} == {"recipe.toml", "versions.json"}
    assert "seed = 1" in (out / "recipe.toml").read_text()


def test_force_makes_a_folder_where_there_is_none(tmp_path):
    forced(tmp_path / "new" / "run")
    assert (tmp_path / "new" / "run" / "recipe.toml").is_file()


@pytest.mark.parametrize("stranger", ["notes.txt", "data/table.csv", ".git/config"])
def test_force_refuses_a_folder_that_holds_anything_else(stranger, out):
    path = out / stranger
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
    before = sorted(out.rglob("*"))
    with pytest.raises(UserError, match="is something else"):
        forced(out)
    assert sorted(out.rglob("*")) == before


@pytest.mark.parametrize("gone", ["recipe.toml", "versions.json"])
def test_force_refuses_a_folder_that_no_run_made(gone, out):
    (out / gone).unlink()
    with pytest.raises(UserError, match="removes run folders alone"):
        forced(out)
    assert (out / "metrics.jsonl").exists()


def test_force_refuses_links(out, tmp_path):
    (tmp_path / "link").symlink_to(out)
    with pytest.raises(UserError, match="removes run folders alone"):
        forced(tmp_path / "link")
    (out / "model" / "config.json").unlink()
    (out / "model").rmdir()
    (out / "model").symlink_to(tmp_path)
    with pytest.raises(UserError, match="is something else"):
        forced(out)
    assert out.is_dir()


def test_force_and_resume_are_two_wishes(out):
    with pytest.raises(UserError, match="--resume and --force"):
        forced(out, resume=True)
    assert (out / "metrics.jsonl").exists()


def test_a_recipe_that_was_changed_after_the_run_began_is_told_of_on_resume(out):
    assert open_folder(Recipe(), out, {}, resume=True) == ""
    changed = Recipe(seed=2)
    (out / "recipe.toml").write_text(changed.to_toml())
    assert "was changed after the run began" in open_folder(changed, out, {}, resume=True)
    (out / "versions.json").write_text("{}")  # of a run that did not note it
    assert open_folder(changed, out, {}, resume=True) == ""
