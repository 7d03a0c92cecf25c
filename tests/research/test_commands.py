"""The research scripts as commands: the files they leave, what they print, and how they refuse."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from research import baseline_variance, gradient_audit, model_gradients, tabular_alignment, tiny, tiny_talk, wordings
from research.command import exit_code
from research.memory_one_training import TabularSettings

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs a script in an empty folder; returns its exit code and the two streams."""
    monkeypatch.chdir(tmp_path)

    def script(module, *arguments):
        code = exit_code(lambda: module.main([str(argument) for argument in arguments]))
        return code, *capsys.readouterr()

    return script


@pytest.fixture
def short(monkeypatch):
    """Ten updates in two conditions and one scene: what is looked at here is what becomes of the figures."""
    monkeypatch.setattr(baseline_variance, "SCENES", {"early": baseline_variance.SCENES["early"]})
    first, second, *_ = tabular_alignment.conditions(TabularSettings(steps=10))
    monkeypatch.setattr(tabular_alignment, "conditions", lambda: (first, second))


def test_the_gradient_audit_leaves_table_and_figure_and_fits_a_terminal(run, tmp_path):
    code, out, _ = run(gradient_audit, "--draws", 20)
    folder = tmp_path / "runs" / "gradient-audit"
    assert code == 0
    assert out.startswith((folder / "gradient-audit.md").read_text(encoding="utf-8"))
    assert max(map(len, out.splitlines())) <= 80
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".md", ".svg"]


def test_the_gradient_audit_as_json_is_the_file_it_writes(run, tmp_path):
    _, out, _ = run(gradient_audit, "--draws", 3, "--seed", 5, "--json", "--out", "g")
    assert json.loads(out)["draws"] == 3
    assert json.loads(out) == json.loads((tmp_path / "g" / "gradient-audit.json").read_text(encoding="utf-8"))


def test_the_alignment_study_leaves_tables_and_figure_and_prints_them(run, short, tmp_path):
    code, out, err = run(tabular_alignment, "--seeds", 2, "--draws", 20, "--out", "found")
    assert code == 0
    assert sorted(path.name for path in (tmp_path / "found").iterdir()) == [
        "probabilities.svg",
        "table.json",
        "table.md",
    ]
    assert out.startswith((tmp_path / "found" / "table.md").read_text(encoding="utf-8"))
    assert max(map(len, out.splitlines())) <= 80
    assert [line.split(":")[0] for line in err.splitlines()] == ["self-play", "past selves", "baselines"]


def test_the_alignment_study_as_json_is_the_table_it_stores(run, short, tmp_path):
    _, out, _ = run(tabular_alignment, "--seeds", 2, "--draws", 20, "--json")
    stored = tmp_path / "results" / "alignment" / "tabular" / "table.json"
    table = json.loads(out)
    assert table == json.loads(stored.read_text(encoding="utf-8"))
    assert table["command"] == "python -m research.tabular_alignment --seeds 2 --draws 20"
    assert (table["seeds"], table["variance"]["draws"]) == ([0, 1], 20)


@pytest.mark.slow
def test_the_gradients_of_a_model_are_written_where_a_study_looks_for_them(run, tmp_path):
    code, out, _ = run(model_gradients, "tiny", "--game", "split", "--batches", 4, "--out", "study")
    stored = json.loads((tmp_path / "study" / "gradients.json").read_text(encoding="utf-8"))
    assert code == 0
    assert (stored["game"], stored["batches"]) == ("split", 4)
    assert tuple(row["rule"] for row in stored["rules"]) == model_gradients.COMPARED
    assert [line.split()[0] for line in out.splitlines()[:-1]] == list(model_gradients.COMPARED)


@pytest.mark.parametrize(
    ("module", "arguments", "names"),
    [
        (gradient_audit, "--draws 1", "draws is 1"),
        (gradient_audit, "--draws 2 --seed -1", "seed is -1"),
        (tabular_alignment, "--seeds 1", "seeds 1"),
        (tabular_alignment, "--draws 1", "draws 1"),
        (model_gradients, "tiny --batches 3", "3 batches"),
        (model_gradients, "tiny --game chess", "chess"),
        (model_gradients, "./nowhere", "./nowhere"),
    ],
)
def test_a_mistake_is_one_line_that_names_it_and_leaves_nothing(run, tmp_path, module, arguments, names):
    code, out, err = run(module, *arguments.split())
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert names in err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told_before_any_work(run, tmp_path, monkeypatch):
    monkeypatch.setattr(tabular_alignment, "conditions", lambda: pytest.fail("work was done first"))
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    code, _, err = run(tabular_alignment, "--out", "taken")
    assert (code, err.count("\n")) == (2, 1)
    assert (tmp_path / "taken").read_text(encoding="utf-8") == "a file"


@pytest.mark.parametrize("script", [tiny, tiny_talk])
def test_a_model_is_built_where_it_is_asked_for_and_else_in_the_package(script, monkeypatch):
    built = []
    monkeypatch.setattr(script, "build", built.append)
    script.main(["--out", "elsewhere"])
    script.main([])
    assert built[0] == Path("elsewhere")
    assert (built[1] / "model.safetensors").is_file()


def test_from_a_checkout_a_script_is_a_module(tmp_path):
    command = [sys.executable, "-m", "research.gradient_audit", "--draws", "0", "--out", str(tmp_path / "g")]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT / "src")}
    ran = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=120)
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1)


def test_the_wordings_are_compared_on_the_same_deals_and_kept_by_game(run, tmp_path):
    code, out, err = run(wordings, "tiny", "--episodes", 12, "--seed", 3, "--out", "w")
    assert (code, err) == (0, "")
    record = json.loads((tmp_path / "w" / "kuhn_poker.json").read_text(encoding="utf-8"))
    terse, full = record["wordings"]
    assert (terse["wording"], full["wording"]) == ("terse", "full")
    assert terse["faults"]["value"] < full["faults"]["value"]  # it was raised on the terse line
    assert terse["faults"]["n"] == full["faults"]["n"] == record["episodes"] == 12
    assert terse["exact"] == pytest.approx(1 - terse["faults"]["value"])
    assert sum(full["kinds"].values()) == pytest.approx(full["faults"]["value"])
    assert [line.split()[0] for line in out.splitlines()] == ["terse", "full"]


def test_wordings_of_a_game_without_a_train_pool_are_one_line(run):
    code, _, err = run(wordings, "tiny", "--game", f"{CHECKOUT}/tests/games/odd_one_out.py:OddOneOut", "--out", "w")
    assert (code, err.count("\n")) == (2, 1)
    assert "has no train pool for two players" in err
