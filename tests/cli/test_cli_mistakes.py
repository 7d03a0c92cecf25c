"""A user's mistake is one line and exit code 2; nothing already written is lost; a bug of ours is never disguised."""

import errno
import json
import resource
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from transformers import PreTrainedModel

from equipoise.cli import games
from equipoise.cli.main import main, parser
from equipoise.games import DOMAINS
from equipoise.lab import model_audit
from equipoise.lab.results import load_result
from equipoise.models.tiny import FOLDER

AUDIT = ("--game", "kuhn_poker", "--deals", 2)


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("games kuhn", f"unknown game 'kuhn'; known: {', '.join(DOMAINS)}. Did you mean 'kuhn_poker'?"),
        ("audit tiny --game poker", "unknown game 'poker'; known: kuhn_poker"),
        ("audit tiny --game split --exact-rounds -1", "got -1 exact rounds; allowed: 1 or more"),
        ("audit tiny --game split --learned-episodes -1", "got -1 episodes to learn from; allowed: 0 or more"),
        ("audit tiny --game bargaining --regret-deals -1", "got -1 deals for the regret; allowed: 0 or more"),
        ("audit tiny --gme kuhn_poker", "unknown option '--gme'; did you mean '--game'?"),
        ("audit tiny --gme=kuhn_poker", "unknown option '--gme'; did you mean '--game'?"),
        ("audit -game kuhn_poker", "unknown option '-game'; did you mean '--game'?"),
        ("report --xyzzy", "unknown option '--xyzzy'; known: -h, --help, --out, --markdown, --view, --json"),
        ("--xyzzy games", "unknown option '--xyzzy'; known: -h, --help, --version"),
        ("train", "nothing to train on; name a recipe, or give --games"),
        ("train --games split splt", "unknown game 'splt'; known: kuhn_poker"),
        ("train --games split split", "each game may be named once"),
        (
            "train --games split --set by_game.commons.play.deals=2",
            "unknown game of this recipe in [by_game] 'commons'; known: split",
        ),
        ("games kuhn_poker --set hands=0", "got hands=0; allowed: a whole number from 1 to 100"),
        ("games kuhn_poker --set hands", "has no '='"),
        ("games kuhn_poker --set hand=2", "'hand'"),
        ("train kuhn_pokr", "Did you mean 'kuhn_poker'?"),
        ("train kuhn_poker/nash", "unknown recipe 'kuhn_poker/nash'; known: alignment/prisoners_dilemma"),
        ("train nowhere.toml", "no recipe file 'nowhere.toml'"),
        ("train kuhn_poker --set rl.stps=2", "unknown recipe key in [rl] 'stps'"),
        ("train kuhn_poker --set nowhere=2", "unknown recipe key 'nowhere'"),
        ("train kuhn_poker --set rl.steps=two", "recipe key 'rl.steps' takes"),
        ("train kuhn_poker --set rl.steps=2.5", "recipe key 'rl.steps' takes"),
        ("train kuhn_poker --set rl.steps=true", "recipe key 'rl.steps' takes"),
        ("train kuhn_poker --set rl.learning_rate=fast", "recipe key 'rl.learning_rate' takes"),
        ("train kuhn_poker --set rl=2", "recipe key 'rl' is a section"),
        ("train kuhn_poker --set rl.steps", "has no '='"),
        ("train kuhn_poker --set rl.steps=-1", "got steps=-1"),
        ("train kuhn_poker --set play.rollouts=1", "got rollouts=1"),
        ("train kuhn_poker --set objective.rule=best", "unknown credit rule 'best'"),
        ("train kuhn_poker --set game=chess", "unknown game 'chess'"),
        ('train kuhn_poker --set play.train_pool=["trapper"]', "'trapper' is held out for audits"),
        ("train kuhn_poker --resume", "nothing to resume in runs/kuhn_poker-best_response"),
        ("train --resume", "nothing to train on; name a recipe"),
        ("train --resume --out nowhere", "nothing to resume in nowhere"),
        ("train kuhn_poker --resume --force --out r", "got --resume and --force"),
        ("train kuhn_poker --set rl.learning_rate=inf", "got rl.learning_rate=inf; allowed: a finite number"),
        ("train kuhn_poker --set rl.steps=1e21", "recipe key 'rl.steps' takes a whole number"),
        ('train kuhn_poker --set rl.report_to=["nosuch"]', "unknown log target in rl.report_to 'nosuch'"),
        ("audit nowhere --game kuhn_poker", "no model folder 'nowhere'"),
        ("audit ./nowhere/model --game kuhn_poker", "no model folder './nowhere/model'"),
        ("audit tiny --game kuhn_poker --deals 0", "allowed: 1 to"),
        ("audit tiny --game kuhn_poker --temperature -1", "got temperature -1.0; allowed: 0 "),
        ("audit tiny --game kuhn_poker --max-new-tokens 0", "got max_new_tokens 0"),
        ("audit tiny --game kuhn_poker --oppponent x", "unknown option '--oppponent'; did you mean '--opponent'?"),
        ("crossplay a b --deals 2", "unknown option '--deals'; known: "),
        ("report nowhere", "no result at nowhere"),
        ("reproduce nothing", "unknown study 'nothing'; known: "),
        ("demo --seeds 0", "got --seeds 0; at least 1"),
    ],
)
def test_a_mistake_is_told_in_one_line_and_leaves_nothing(mistake, tmp_path, arguments, says):
    line = mistake(*arguments.split(" "))
    assert says in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["2.5", "true", "x", "[1]"])
@pytest.mark.parametrize("command", [["games", "kuhn_poker"], ["audit", "tiny", *AUDIT]])
def test_a_game_parameter_of_the_wrong_type_is_told_in_the_user_s_words(mistake, command, value):
    line = mistake(*command, "--set", f"hands={value}")
    assert "hands" in line
    assert "object" not in line
    assert "instances" not in line


@pytest.mark.parametrize(
    "arguments",
    [
        ["audit", "tiny", "--game", "kuhn_poker", "--deals", 1, "--seed", -1],
        ["train", "kuhn_poker", "--seed", -1],
    ],
)
def test_a_negative_seed_is_told_in_one_line_and_leaves_nothing(mistake, tmp_path, arguments):
    assert "seed" in mistake(*arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", [["--deals", 0], ["--set", "game_parameters.hand=2"], ["--model", "./nowhere"]])
def test_a_mistake_in_a_training_run_costs_no_training_and_leaves_the_folder_free(run, small, tmp_path, wrong):
    ran = run("train", "kuhn_poker", *small, "--out", "r", *wrong)
    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "r" / "metrics.jsonl").exists()
    assert run("train", "kuhn_poker", "--set", "rl.steps=0", "--deals", 1, "--out", "r").code == 0


def test_a_recipe_of_the_user_s_own_is_not_overwritten(run, tmp_path):
    (tmp_path / "r").mkdir()
    own = "# my notes\ngame = 'kuhn_poker'\n[rl]\nsteps = 0\n"
    (tmp_path / "r" / "recipe.toml").write_text(own)
    run("train", "r/recipe.toml", "--deals", 1, "--out", "r")
    assert (tmp_path / "r" / "recipe.toml").read_text() == own


@pytest.mark.parametrize("arguments", [[], ["dance"], ["audit", "tiny"], ["train", "kuhn_poker", "--seed", "x"]])
def test_wrong_usage_exits_with_2(run, capsys, arguments):
    with pytest.raises(SystemExit) as stop:
        run(*arguments)
    assert stop.value.code == 2
    assert "error: " in capsys.readouterr().err.splitlines()[-1]


def test_a_shortened_option_a_negative_number_and_what_follows_two_dashes_are_no_unknown_options():
    words = shlex.split("audit tiny --gam=kuhn_poker --exact-r -1 --set 'hands = -x' --opponent=--x")
    options = parser().parse_args(words)
    assert (options.game, options.exact_rounds, options.set) == ("kuhn_poker", -1, ["hands = -x"])
    assert options.opponent == ["--x"]
    assert parser().parse_args(["report", "--", "--folder"]).path == Path("--folder")


@pytest.mark.parametrize("value", ["[" * 100_000, "9" * 5_000], ids=["deep", "long"])
def test_a_value_nested_too_deep_or_of_too_many_digits_is_one_line(mistake, tmp_path, value):
    (tmp_path / "bad.toml").write_text(f"seed = {value}")
    assert "nested too deep" in mistake("train", "bad.toml")
    assert "nested too deep" in mistake("train", "kuhn_poker", "--set", f"seed={value}")
    assert "nested too deep" in mistake("audit", "tiny", *AUDIT, "--set", f"hands={value}")


def test_a_recipe_of_tables_in_tables_without_end_is_one_line(mistake, tmp_path):
    (tmp_path / "bad.toml").write_text(f"a{'.a' * 2_000} = 1")
    assert "nested too deep" in mistake("train", "bad.toml")


def test_a_recipe_file_that_is_not_toml_is_named(mistake, tmp_path):
    (tmp_path / "bad.toml").write_text("game = ")
    assert mistake("train", "bad.toml").startswith("bad.toml is not valid TOML: ")


@pytest.mark.parametrize(
    ("kept", "says"),
    [
        ([], "it holds nothing"),
        (["tokenizer.json"], "it holds tokenizer.json"),
        (["config.json", "tokenizer.json", "tokenizer_config.json"], "no *.safetensors weights"),
        (["config.json", "model.safetensors"], "cannot load a model"),
    ],
)
def test_an_incomplete_model_folder_is_told_by_what_it_lacks(mistake, tmp_path, kept, says):
    (tmp_path / "m").mkdir()
    for name in kept:
        shutil.copy(FOLDER / name, tmp_path / "m")
    line = mistake("audit", "m", *AUDIT)
    assert says in line
    assert "m" in line.split()[0] or "'m'" in line


def test_a_checkpoint_of_another_architecture_is_refused(mistake, tmp_path):
    shutil.copytree(FOLDER, tmp_path / "m")
    config = json.loads((FOLDER / "config.json").read_text())
    config |= {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_embd": 32, "n_layer": 1, "n_head": 2}
    (tmp_path / "m" / "config.json").write_text(json.dumps(config))
    line = mistake("audit", "m", *AUDIT)
    assert "m does not fit its architecture GPT2LMHeadModel" in line


def test_a_checkpoint_of_another_width_is_refused(mistake, tmp_path):
    shutil.copytree(FOLDER, tmp_path / "m")
    config = json.loads((FOLDER / "config.json").read_text())
    (tmp_path / "m" / "config.json").write_text(json.dumps(config | {"intermediate_size": 99}))
    assert "'m'" in mistake("audit", "m", *AUDIT)


def test_weights_cut_off_are_refused(mistake, tmp_path):
    shutil.copytree(FOLDER, tmp_path / "m")
    weights = (FOLDER / "model.safetensors").read_bytes()
    (tmp_path / "m" / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    assert "'m'" in mistake("audit", "m", *AUDIT)


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ([], "exists; continue it with --resume"),
        (["--resume", "--set", "rl.learning_rate=0.5"], "was started with another recipe"),
        (["--resume", "--seed", 7], "was started with another recipe"),
    ],
)
def test_a_run_folder_in_use_is_refused_and_kept(mistake, small, small_run, extra, says):
    before = contents(small_run)
    assert says in mistake("train", "kuhn_poker", *small, "--out", small_run, *extra)
    assert contents(small_run) == before


def test_an_audit_does_not_overwrite_a_result(mistake, small_audit):
    before = contents(small_audit)
    assert "already holds a result" in mistake("audit", "tiny", *AUDIT, "--out", small_audit)
    assert contents(small_audit) == before


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"kind": "audit"}', '{"kind": "audit", "version": 2}'])
def test_a_broken_result_is_refused_and_its_page_kept(mistake, tmp_path, text):
    (tmp_path / "result.json").write_text(text)
    (tmp_path / "report.html").write_text("page")
    assert mistake("report", ".").startswith("result.json")
    assert (tmp_path / "report.html").read_text() == "page"


@pytest.mark.parametrize("out", ["file", "file/below"])
def test_an_out_that_is_a_file_costs_no_play_and_keeps_it(mistake, monkeypatch, tmp_path, out):
    (tmp_path / "file").write_text("mine")
    monkeypatch.setattr(model_audit, "audited_model", lambda *a: pytest.fail("the audit ran"))
    assert "file" in mistake("audit", "tiny", *AUDIT, "--out", out)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_full_disk_while_a_page_is_written_keeps_the_old_one(run, small_run, tmp_path, monkeypatch):
    shutil.copytree(small_run, tmp_path / "r")
    before = contents(tmp_path / "r")
    with monkeypatch.context() as patch:
        patch.setattr("equipoise.files.os.fsync", lambda handle: full_disk())
        ran = run("report", "r")
    assert ran.code == 2
    assert ran.err.startswith("equipoise: error: ")
    assert "No space left on device" in ran.err
    assert contents(tmp_path / "r") == before


def full_disk(*arguments, **settings):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("recipe", ["kuhn_poker/best_response", "kuhn_poker/sft"])
def test_a_full_disk_while_a_model_is_saved_is_one_line_and_the_run_goes_on_later(
    run, small, tmp_path, monkeypatch, recipe
):
    command = ["train", recipe, *small, "--set", "rl.save_every=1", "--out", "r"]
    command += ["--set", "sft.steps=1", "--set", "demonstrations.episodes=10"]
    saves, save = [], PreTrainedModel.save_pretrained

    def fills_up(self, folder, *rest, **settings):
        saves.append(folder)
        full_disk() if len(saves) == 2 else save(self, folder, *rest, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(PreTrainedModel, "save_pretrained", fills_up)
        ran = run(*command)
    assert ran.code == 2
    *_, last = ran.err.splitlines()
    assert last.startswith("equipoise: error: ")
    assert "No space left on device" in last
    assert "--resume" in last
    assert "Traceback" not in ran.err
    assert not (tmp_path / "r" / "model").exists()
    assert run(*command, "--resume").code == 0
    assert load_result(tmp_path / "r").agents[-1].name == "trained"


_LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
from equipoise.cli.main import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize(
    ("largest", "arguments"),
    [
        (500_000, ["train", "kuhn_poker"]),
        (3_000_000, ["train", "kuhn_poker"]),
        (500_000, ["train", "kuhn_poker/sft", "--set", "sft.steps=1", "--set", "demonstrations.episodes=10"]),
    ],
    ids=["weights of a checkpoint", "optimizer of a checkpoint", "weights of a model"],
)
@pytest.mark.slow
def test_a_system_that_refuses_a_large_file_is_one_line_not_a_traceback(small, tmp_path, largest, arguments):
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    command = [sys.executable, "-c", _LIMITED, str(largest), *arguments, *small, "--out", "r"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 2
    assert "Traceback" not in ran.stderr
    assert ran.stderr.splitlines()[-1].startswith("equipoise: error: ")
    assert "--resume" in ran.stderr.splitlines()[-1]


def test_output_to_a_full_device_is_one_line():
    command = [sys.executable, "-m", "equipoise.cli.main", "games", "kuhn_poker"]
    with open("/dev/full", "w") as full:
        ran = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert ran.returncode != 0
    assert "Traceback" not in ran.stderr
    assert "No space left on device" in ran.stderr


def test_exit_codes_reach_the_shell(tmp_path):
    def code(*arguments):
        command = [sys.executable, "-m", "equipoise.cli.main", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert code("games").returncode == 0
    refused = code("games", "chess")
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)
    assert code("games", "--dance").returncode == 2


def test_a_missing_package_is_told_with_its_remedy(mistake, monkeypatch):
    monkeypatch.setitem(sys.modules, "equipoise.reports.markdown", None)
    assert "pip install 'equipoise[train,report]'" in mistake("report", ".")


def _inside_numpy(*arguments, **settings):
    np.broadcast_shapes((2,), (3,))


@pytest.mark.parametrize("broken", [_inside_numpy, lambda *a: (1, 2, 3)], ids=["inside numpy", "in our own frame"])
def test_a_bug_of_ours_is_not_disguised_as_a_mistake(monkeypatch, broken):
    monkeypatch.setattr(games, "observations", broken)
    with pytest.raises(ValueError, match=r"shape mismatch|too many values to unpack"):
        main(["games", "kuhn_poker"])
