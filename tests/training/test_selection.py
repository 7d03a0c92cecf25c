"""The choice of a policy: the best index wins, and a resumed run chooses as an unbroken one."""

import json
from dataclasses import replace

import numpy as np
import pytest

from equipoise.arena import Match, rollout
from equipoise.games import domain, make_game
from equipoise.policies import ScriptedPolicy
from equipoise.seeds import Seed
from equipoise.training.selection import Selection, sampled_index


class Run:
    """A pretended run whose policy after each step has a planted index."""

    def __init__(self, folder, indices, from_step=0):
        self.step = 0
        self.indices = indices
        self.selection = Selection(folder, self.judge, self.save, from_step)

    def judge(self):
        return {"a": self.indices[self.step], "b": 0.0}

    def save(self, folder):
        folder.mkdir(parents=True)
        (folder / "weights").write_text(str(self.step))

    def consider(self, *steps):
        for self.step in steps:
            self.selection.consider(self.step)
        return self.selection


INDICES = {2: 0.5, 4: 0.9, 6: 0.9, 8: -1.0, 10: float("nan")}


def test_the_best_candidate_is_chosen_and_the_later_of_two_equals(tmp_path):
    chosen = Run(tmp_path, INDICES).consider(2, 4, 6, 8, 10).choose()
    assert (chosen / "weights").read_text() == "6"
    record = json.loads((tmp_path / "selection.json").read_text())
    assert record["chosen"] == 6
    assert [c["step"] for c in record["candidates"]] == [2, 4, 6, 8, 10]
    assert record["candidates"][0] == {"step": 2, "sepo_index": 0.25, "games": {"a": 0.5, "b": 0.0}}


def test_a_resumed_choice_keeps_what_was_judged_before_and_judges_the_rest_again(tmp_path):
    Run(tmp_path, INDICES).consider(2, 4, 6)
    resumed = Run(tmp_path, {4: 7.0, 6: 0.1}, from_step=4)
    assert [c["step"] for c in resumed.selection.candidates] == [2, 4]
    chosen = resumed.consider(4, 6).choose()
    assert (chosen / "weights").read_text() == "4"
    assert [c["games"]["a"] for c in resumed.selection.candidates] == [0.5, 0.9, 0.1]


def test_a_candidate_whose_weights_were_lost_is_judged_again(tmp_path):
    Run(tmp_path, INDICES).consider(2)
    (tmp_path / "selection" / "step-2" / "weights").unlink()
    (tmp_path / "selection" / "step-2").rmdir()
    assert Run(tmp_path, INDICES, from_step=2).selection.candidates == []


def test_the_sampled_index_is_the_index_of_the_games_definition():
    game, profile = make_game("prisoners_dilemma"), domain("prisoners_dilemma").corrected
    tit_for_tat = ScriptedPolicy(profile.find("tit_for_tat"))
    index = sampled_index(tit_for_tat, game, profile, 200, Seed(0), "forfeit")
    assert index == pytest.approx(1.74, abs=0.05)  # enumerated: u 2.79, e .31, c 0; e is by the exploiter pool
    unseen = replace(profile, pools=replace(profile.pools, held_out=()), weak=())
    assert sampled_index(tit_for_tat, game, unseen, 200, Seed(0), "forfeit") == index

    def mean(name, seat_of_agent=0):
        policies = {"agent": tit_for_tat, name: ScriptedPolicy(profile.find(name))}
        (episode,) = rollout(game, policies, [Match(("agent", name), 0)], seed=0)
        return (episode.returns[1] - episode.returns[0]) / 8

    assert np.mean([mean("always_defect"), mean("alternator")]) == pytest.approx(0.3125, abs=0.01)
