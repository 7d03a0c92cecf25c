"""The studies of the pretrained model: what they train, and a measure that leaves the probe out."""

from dataclasses import replace

import pytest

from equipoise.lab.alignment import ALIGNMENT, MeetingMeasure
from equipoise.lab.smollm2 import ALIGNMENT_SMOLLM2, SEPO_SMOLLM2
from equipoise.lab.study_run import StudyRun


def run_of(study, folder, *overrides):
    return StudyRun(study, study.size(overrides=overrides), folder / "out", folder / "work")


def test_sepo_starts_from_its_imitation_and_changes_nothing_else(tmp_path):
    run = run_of(SEPO_SMOLLM2, tmp_path)
    for game in SEPO_SMOLLM2.games:
        imitation, sepo = run.recipe(game, "sft", 2), run.recipe(game, "own_pool", 2)
        assert imitation.model == "smollm2"
        assert sepo.model == str(tmp_path / "work" / game / "sft-2" / "model")
        assert (imitation.rl.steps, sepo.imitates) == (0, False)
        same = replace(sepo, model=imitation.model, demonstrations=imitation.demonstrations)
        assert replace(same, rl=imitation.rl) == imitation


def test_the_arms_of_self_play_differ_in_the_credit_and_the_start_alone(tmp_path):
    run = run_of(ALIGNMENT_SMOLLM2, tmp_path)
    prior, naive, alignment = (run.recipe("prisoners_dilemma", arm, 1) for arm in ("prior_naive", "naive", "alignment"))
    assert alignment.model == str(tmp_path / "work" / "prisoners_dilemma" / "sft-1" / "model")
    assert prior.model == "smollm2"
    assert not any(recipe.imitates for recipe in (prior, naive, alignment))
    assert (naive.objective.rule, alignment.objective.rule) == ("naive", "advantage_alignment")
    assert replace(naive, objective=alignment.objective) == alignment
    assert replace(naive, model=prior.model) == prior


@pytest.mark.parametrize("study", [SEPO_SMOLLM2, ALIGNMENT_SMOLLM2], ids=lambda study: study.name)
def test_no_cell_waits_for_one_that_waits_for_it(tmp_path, study):
    left = {cell.key: set(cell.needs) for cell in run_of(study, tmp_path).cells()}
    while ready := [key for key, needs in left.items() if not needs & left.keys()]:
        for key in ready:
            del left[key]
    assert not left


@pytest.mark.slow
def test_a_game_without_probe_steps_has_no_probe(tmp_path):
    study = replace(ALIGNMENT, games=("prisoners_dilemma",), targets={}, measure=MeetingMeasure(2, probe_steps={}))
    run = run_of(study, tmp_path, "rl.steps=1", "self_play.deals=2", "self_play.rollouts=2", "rl.exact_rounds=0")
    assert "probe" not in run.made_by("prisoners_dilemma/naive-0")
    cell = run("prisoners_dilemma/naive-0")
    assert cell.probe is None
    assert "self_play" in cell.figures
    assert not [name for name in cell.figures if "probe" in name]
