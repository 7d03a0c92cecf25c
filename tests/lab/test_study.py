"""A study is a declaration: its cells, what decides each of them, and what it refuses."""

import dataclasses
import json
import math
from pathlib import Path

import pytest
from small_study import SMALL, Counted, changed, hypothesis, run_of

from equipoise.errors import UserError
from equipoise.lab.alignment import AGENT as MET_AGENT
from equipoise.lab.alignment import ALIGNMENT, PLAYERS, meetings_of, scripted
from equipoise.lab.results import StudyCell, StudyTarget, load_result, result_json
from equipoise.lab.sepo import SEPO
from equipoise.lab.study import Arm, Measured, Study, read_study
from equipoise.lab.study_run import StudyRun, chosen, key, parts, player_of
from equipoise.registry import find
from equipoise.training.recipe import Recipe, load_recipe
from equipoise.training.run import train

RESULTS = Path(__file__).parents[2] / "results"
STUDIES = {"sepo": SEPO, "alignment": ALIGNMENT}


def whole(study):
    """All of a study, where its landed cells are."""
    return StudyRun(study, study.size(), RESULTS / study.name, Path("runs") / study.name)


@pytest.mark.parametrize("name", STUDIES)
def test_every_landed_cell_was_made_by_what_its_study_declares(name):
    """The declaration is the study whose results are published, cell by cell."""
    run, cells = whole(STUDIES[name]), RESULTS / name / "cells"
    landed = {str(path.relative_to(cells).with_suffix("")): path for path in cells.rglob("*.json")}
    assert set(landed) == {cell.key for cell in [*run.cells(), *run.references()]}
    for cell, path in landed.items():
        assert json.loads(json.dumps(run.made_by(cell))) == load_result(path, StudyCell).made.by, cell


@pytest.mark.parametrize(("name", "count"), [("sepo", 180), ("alignment", 84)])
def test_our_studies_have_as_many_cells_as_ever_and_are_found_by_name(name, count):
    study = find("study", name)
    assert study is STUDIES[name]
    assert len(whole(study).cells()) == count
    assert {player_of(cell.key)[0] for cell in whole(study).references()} == set(study.games)


def test_cells_come_seed_by_seed_each_after_what_it_starts_from():
    listed = run_of(games=["split"]).cells()
    assert [cell.key for cell in listed] == [
        *("split/base-0", "split/sft-0", "split/ours-0", "split/fewer-0"),
        *("split/sft-1", "split/ours-1", "split/fewer-1"),
        *("split/sft-2", "split/ours-2"),
    ]
    assert {cell.key: cell.needs for cell in listed if cell.needs} == {
        f"split/ours-{seed}": (f"split/sft-{seed}",) for seed in range(3)
    }


def test_every_arm_but_the_met_one_waits_for_it_where_it_is_asked_for():
    met = changed(met="fewer")
    needs = {cell.key: cell.needs for cell in run_of(met, games=["split"]).cells()}
    assert needs["split/ours-0"] == ("split/sft-0", "split/fewer-0")
    assert needs["split/fewer-0"] == ()
    assert needs["split/sft-2"] == ()  # the met arm has no such seed
    assert not any(cell.needs for cell in run_of(met, arms=["sft"]).cells())


def test_scripted_players_are_cells_of_their_own_and_wait_for_nothing():
    listed = run_of().references()
    assert [cell.key for cell in listed] == ["kuhn_poker/reference-nash", "split/reference-nash"]
    assert not any(cell.needs for cell in listed)
    assert player_of("split/reference-tit_for_tat") == ("split", "tit_for_tat")
    assert player_of("split/ours-0") is None


@pytest.mark.parametrize(("game", "arm", "seed"), [("split", "ours", 3), ("g", "a.b+c", 10)])
def test_a_key_holds_game_arm_and_seed(game, arm, seed):
    assert parts(key(game, arm, seed)) == (game, arm, seed)


def test_a_size_takes_arms_with_what_they_start_from_in_the_study_s_order():
    size = SMALL.size(games=["split", "split"], arms=["ours", "base"], seeds=2)
    assert (size.games, size.arms, size.seeds) == (("split",), ("base", "sft", "ours"), 2)
    assert SMALL.size().seeds == 3
    assert SMALL.size().arms == tuple(SMALL.arms)
    run = run_of(seeds=2)
    assert [run.planned(arm) for arm in SMALL.arms] == [1, 2, 2, 2]


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"games": ["chess"]}, "unknown game 'chess'"),
        ({"arms": ["our"]}, "Did you mean 'ours'?"),
        ({"seeds": 0}, "got 0 seeds; at least 1 is needed"),
    ],
)
def test_a_size_that_cannot_be_is_refused(wanted, says):
    with pytest.raises(UserError, match=says.replace("?", r"\?")):
        SMALL.size(**wanted)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"arms": {}}, "at least one arm"),
        ({"games": ()}, "one game"),
        ({"name": "a/b"}, "got the name 'a/b'"),
        ({"arms": {"reference": Arm("R")}, "hypotheses": (), "compared": (), "targets": {}}, "not 'reference'"),
        ({"compared": (("ours", "sftt"),)}, "unknown arm 'sftt'"),
        ({"met": "them"}, "unknown arm 'them'"),
        ({"targets": {"chess": ()}}, "unknown game 'chess'"),
        ({"recipes": {"chess": "x"}}, "unknown game 'chess'"),
        ({"compared": (("base", "sft"),)}, "put the trained arm first"),
        ({"hypotheses": (hypothesis("h", "ours", "sft"),) * 2}, "two hypotheses of one name"),
        ({"targets": {"split": (StudyTarget(arm="x", metric="pay", relation="at most", bound=1.0),)}}, "arm 'x'"),
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(changes, says):
    with pytest.raises(UserError, match=says):
        changed(**changes)


@pytest.mark.parametrize(("start", "says"), [("ours", "starts from itself"), ("base", "which is not trained")])
def test_an_arm_starts_from_a_trained_one_that_is_not_itself(start, says):
    arms = {**SMALL.arms, "sft": dataclasses.replace(SMALL.arms["sft"], starts_from=start)}
    with pytest.raises(UserError, match=says):
        changed(arms=arms)


@pytest.mark.parametrize(
    "mistake", [{"seeds": 0}, {"kind": "start", "seeds": 2}, {"kind": "start", "starts_from": "x"}]
)
def test_an_arm_that_cannot_be_is_refused(mistake):
    with pytest.raises(UserError, match="arm 'A'"):
        Arm("A", **mistake)


def test_what_is_no_study_is_refused():
    with pytest.raises(UserError, match=r"'m:X' is a value of type int; needed: .*Study"):
        read_study(3, "m:X")
    with pytest.raises(UserError, match="is the class Study"):
        read_study(Study, "m:X")


def test_an_arm_changes_the_recipe_of_its_game_and_nothing_else_does():
    run = run_of(overrides=["rl.steps=5"])
    base = load_recipe("sepo/split", ["rl.steps=5", "seed=2"])
    assert run.recipe("split", "base", 2) == base
    assert run.recipe("split", "fewer", 2).rl.steps == 7  # an arm goes before a size
    ours = {game: run.recipe(game, "ours", 2) for game in SMALL.games}
    assert ours["split"].objective.rule == "own_pool"
    assert ours["kuhn_poker"].objective.rule == "payoff"


def test_an_arm_starts_from_another_s_model_without_demonstrations():
    run = run_of()
    started = run.recipe("split", "ours", 1)
    assert started.model == str(Path("o/work/split/sft-1/model"))
    assert not started.imitates
    assert run.recipe("split", "sft", 1).imitates


def test_what_made_a_cell_names_its_start_not_a_folder_and_only_what_is_not_default():
    made = run_of().made_by("split/ours-1")
    assert made["recipe"]["model"] == "sft-1"
    assert made["recipe"]["seed"] == 1
    assert "save_every" not in made["recipe"]["rl"]
    assert (made["matches"], made["game"]) == (4, "split")
    elsewhere = dataclasses.replace(run_of(), work=Path("elsewhere"))
    assert elsewhere.made_by("split/ours-1") == made
    assert run_of(changed(measure=Counted(matches=5))).made_by("split/ours-1") != made
    assert chosen(Recipe()) == {}


def test_what_made_a_script_s_cell_is_its_game_and_the_measure_not_how_agents_are_trained():
    made = run_of().made_by("split/reference-nash")
    assert (made["player"], made["matches"]) == ("nash", 4)
    assert run_of(overrides=["rl.steps=5"]).made_by("split/reference-nash") == made
    longer = run_of(overrides=["game_parameters.rounds=6"]).made_by("split/reference-nash")
    assert longer["game_parameters"]["rounds"] == 6


def test_a_small_study_measures_less():
    assert SMALL.small().measure == Counted(matches=2)
    assert changed(quick_measure=None).small().measure == SMALL.measure


def test_a_game_without_a_recipe_of_the_study_s_own_is_named_by_both():
    assert changed(recipes={}).recipe("split") == "small/split"
    with pytest.raises(UserError, match="unknown recipe 'small/split'"):
        run_of(changed(recipes={})).recipe("split", "base", 0)


def test_cells_of_models_as_they_are_and_of_scripts_need_no_training(tmp_path):
    run = run_of(folder=tmp_path)
    cell, script = (run.store.result(name, run) for name in ("split/base-0", "split/reference-nash"))
    assert (cell.study, cell.game, cell.arm, cell.seed, cell.reference) == ("small", "split", "base", 0, False)
    assert (script.arm, script.seed, script.reference) == ("nash", 0, True)
    assert script.figures["pay"].value == 7.0
    assert cell.made.by == run.made_by("split/base-0")
    assert math.isnan(script.train_seconds)
    assert not (tmp_path / "work").exists()
    assert run.store.finished(["split/base-0", "split/reference-nash"]) == [cell, script]


TINY = ("sft.steps=1", "demonstrations.episodes=10", "rl.steps=1", "play.rollouts=2", "rl.exact_every=1")


def tiny(folder, *overrides):
    return run_of(folder=folder, games=["split"], overrides=(*TINY, "selection.every=0", "play.deals=1", *overrides))


@pytest.mark.slow
def test_a_start_whose_model_is_gone_is_trained_again(tmp_path):
    run = tiny(tmp_path)
    cell = run("split/ours-0")
    assert {path.parent.name for path in tmp_path.glob("work/split/*/model")} == {"ours-0", "sft-0"}
    assert cell.train_seconds > 0
    assert not list(tmp_path.rglob("*.claim"))
    assert not list(tmp_path.rglob("checkpoints"))


@pytest.mark.slow
def test_a_start_of_other_settings_is_refused_not_used(tmp_path):
    run = tiny(tmp_path)
    train(run.recipe("split", "sft", 0), run.run_folder("split", "sft", 0))
    with pytest.raises(UserError, match="was started with another recipe"):
        tiny(tmp_path, "sft.learning_rate=0.5")("split/ours-0")


@pytest.mark.parametrize("game", PLAYERS)
def test_every_arm_of_the_alignment_study_changes_one_setting(game):
    run = whole(ALIGNMENT)
    ours = settings_of(run.recipe(game, "alignment", 1))
    for arm, made in ALIGNMENT.arms.items():
        other = settings_of(run.recipe(game, arm, 1))
        assert len([name for name in ours if ours[name] != other[name]]) == len(made.overrides), arm


def settings_of(recipe):
    """Every setting of a recipe by section and key."""
    sections = {field.name: getattr(recipe, field.name) for field in dataclasses.fields(recipe)}
    return {
        (section, key): item
        for section, value in sections.items()
        for key, item in (vars(value).items() if dataclasses.is_dataclass(value) else [("", value)])
    }


@pytest.mark.parametrize(
    ("game", "alone", "greedy_takes"), [("split_items", 127.5, 141.7), ("trust_and_split", 50.0, 52.5)]
)
def test_the_cooperative_scripts_earn_the_published_reference(game, alone, greedy_takes):
    """Per agent and round; deals are drawn, so with 400 of them a few per cent of play."""
    task = whole(ALIGNMENT).task(game)
    agents = scripted(task.profile, {MET_AGENT: PLAYERS[game].cooperative, "greedy": PLAYERS[game].greedy})
    found = meetings_of(task.game, agents, MET_AGENT, 400)
    assert found[MET_AGENT][0].pay.value == pytest.approx(alone, rel=0.01)
    assert found["greedy"][1].pay.value == pytest.approx(greedy_takes, rel=0.02)


class Landed:
    """Measures what a landed cell says."""

    def __init__(self, cell):
        self.cell = cell

    def decided_by(self, study, game):
        return {}

    def reference(self, study, game, player):
        return Measured(**{field.name: getattr(self.cell, field.name) for field in dataclasses.fields(Measured)})


@pytest.mark.parametrize(
    ("study", "game", "player"), [("sepo", "split", "fair"), ("alignment", "prisoners_dilemma", "always_defect")]
)
def test_everything_measured_reaches_the_cell(study, game, player):
    """A landed cell of each study measured again is the same file but for when and how long."""
    landed = load_result(RESULTS / study / "cells" / game / f"reference-{player}.json", StudyCell)
    small = changed(name=study, games=(game,), recipes={game: "sepo/split"}, targets={}, measure=Landed(landed))
    again = run_of(small)(f"{game}/reference-{player}")
    assert result_json(again.model_copy(update={"made": landed.made})) == result_json(landed)


def test_a_measure_that_gives_something_else_is_refused_in_one_line():
    class Loose(Landed):
        def reference(self, study, game, player):
            return {"figures": {}}

    with pytest.raises(UserError, match=r"study 'small' gave a value of type dict; needed: .*Measured"):
        run_of(changed(measure=Loose(None)))("split/reference-fair")
