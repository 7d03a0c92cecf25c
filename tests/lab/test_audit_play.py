"""An audit of a game without pools, or with pools and no hazards; and what a user adds to one."""

import dataclasses
import math

import pytest

from equipoise.core import Opponent
from equipoise.errors import UserError
from equipoise.games import domain_of, make_game
from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.games.kuhn_poker.opponents import NIT, nash, script
from equipoise.lab.audit import AuditSettings, audit, audited
from equipoise.lab.hazard_nulls import hazard_nulls
from equipoise.metrics import payoff
from equipoise.metrics.payoff import payoff_bounds
from equipoise.policies.scripted import ScriptedPolicy


class Bare(KuhnPoker):
    """Kuhn poker as a stranger's game: the same rules under another name."""

    name = "bare"


@pytest.fixture(autouse=True)
def from_here(monkeypatch, tmp_path):
    """Files are given by their names alone."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def agent():
    return ScriptedPolicy(script("agent", nash(0.2), "here"))


def test_without_pools_an_audit_meets_the_uniform_player_and_the_agent_itself(agent):
    whole = audited(agent, Bare(), AuditSettings(deals=50))
    found = whole.agent
    met = [e for e in whole.episodes if set(e.policies) == {"agent", "uniform"}]
    itself = [e for e in whole.episodes if set(e.policies) == {"agent"}]
    assert (len(met), len(itself)) == (100, 50)
    assert found.estimates["payoff"] == payoff(met, "agent", payoff_bounds(Bare()))
    assert found.estimates["welfare"].value == 0.0
    assert found.estimates["nash_conv"].value == pytest.approx(0.0, abs=1e-9)
    assert found.estimates["regret"].value > 0  # the uniform player could be exploited more
    assert not {"sepo_index", "pool_exploitability", "robustness", "collusion", "externality"} & set(found.estimates)
    assert [(row.opponent, row.pool) for row in found.opponents] == [("uniform", "reference")]
    assert found.deals == {}
    assert any("bare has no pools" in note for note in found.notes)


def test_an_audit_needs_no_settings(agent):
    result = audit(agent, Bare())
    assert result.agents[0].estimates["payoff"].n == AuditSettings().deals
    assert (result.hazards, result.weights) == ({}, ())
    assert math.isnan(result.scale)


def test_pools_without_hazards_give_everything_but_the_hazards(agent, tmp_path):
    file = tmp_path / "pooled.py"
    file.write_text("from equipoise.games import Domain, Profile\nfrom equipoise.games.kuhn_poker import KuhnPoker\n"
                    "from equipoise.games.kuhn_poker.opponents import POOLS\n"
                    "class Bare(KuhnPoker):\n    name = 'bare'\n"
                    "POOLED = Domain(Bare, Profile(pools=POOLS, weights=(1.5, 2.4, 0.0)))\n")  # fmt: skip
    game = make_game("pooled.py:POOLED")
    result = audit(agent, game, AuditSettings(deals=30))
    (found,), (ours,) = result.agents, audit(agent, KuhnPoker(), AuditSettings(deals=30)).agents
    assert not {"collusion", "externality"} & set(found.estimates)
    for name in ("payoff", "pool_exploitability", "robustness", "sepo_index", "nra"):
        assert found.estimates[name] == ours.estimates[name]
    assert (result.hazards, result.weights) == ({}, (1.5, 2.4, 0.0))
    assert any("does not say what collusion or externality is" in note for note in found.notes)
    assert hazard_nulls(game, domain_of(game).corrected, 4, 0) == {}


@pytest.mark.parametrize("exact", [True, False])
def test_without_held_out_opponents_the_index_is_by_the_exploiters_and_the_audit_says_so(agent, tmp_path, exact):
    (tmp_path / "pooled.py").write_text(
        "from dataclasses import replace\nfrom equipoise.games import Domain, Profile\n"
        "from equipoise.games.kuhn_poker import KuhnPoker\nfrom equipoise.games.kuhn_poker.opponents import POOLS\n"
        "class Bare(KuhnPoker):\n    name = 'bare'\n"
        "POOLED = Domain(Bare, Profile(pools=replace(POOLS, held_out=()), weights=(1.5, 2.4, 0.0)))\n"
    )
    settings = AuditSettings(deals=30, exact=exact)
    (found,) = audit(agent, make_game("pooled.py:POOLED"), settings).agents
    u, e = (found.estimates[name].value for name in ("payoff", "pool_exploitability"))
    assert found.estimates["sepo_index"].value == pytest.approx(1.5 * u - 1.5 * 1.5 * e)
    assert e > 0
    assert "held_out_exploitability" not in found.estimates
    assert any("no held-out pool" in note for note in found.notes)
    (ours,) = audit(agent, KuhnPoker(), settings).agents
    assert not any("no held-out pool" in note for note in ours.notes)


def test_what_a_user_adds_moves_no_other_figure(agent, tmp_path):
    (tmp_path / "mine.py").write_text(
        "def last(seen, legal):\n    return {legal[-1]: 1.0}\n\n"
        "def first_seat(episode, seat):\n    return [float(seat == 0)] * len(episode.rewards)\n"
    )
    (plain,) = audit(agent, KuhnPoker(), AuditSettings(deals=20)).agents
    extra = AuditSettings(
        deals=20, opponents=("mine.py:last", "nit"), metrics=("nra",), hazards=("mine.py:first_seat",)
    )
    with pytest.raises(UserError, match="'nra'"):
        audit(agent, KuhnPoker(), extra)
    extra = dataclasses.replace(extra, metrics=("pool_exploitability_unclipped",))
    with pytest.raises(UserError, match="pool_exploitability_unclipped"):
        audit(agent, KuhnPoker(), extra)
    result = audit(agent, KuhnPoker(), dataclasses.replace(extra, metrics=()))
    (found,) = result.agents
    assert {name: found.estimates[name] for name in plain.estimates} == plain.estimates
    assert found.estimates["first_seat"].value == pytest.approx(0.5)
    assert "first_seat" in result.hazards
    assert found.deals == plain.deals
    assert [row.opponent for row in found.opponents if row.pool == "given"] == ["last"]


def test_an_opponent_of_a_name_that_is_taken_is_refused(agent, tmp_path):
    (tmp_path / "mine.py").write_text("def nit(seen, legal):\n    return {legal[0]: 1.0}\n")
    with pytest.raises(UserError, match="'nit' has the name of one of the game's own"):
        audit(agent, KuhnPoker(), AuditSettings(deals=1, opponents=("mine.py:nit",)))


def test_a_game_without_a_published_profile_says_so(agent):
    with pytest.raises(UserError, match="no published profile"):
        audit(agent, Bare(), AuditSettings(profile="published"))


def test_an_agent_called_as_the_uniform_player_is_refused():
    with pytest.raises(UserError, match="the agent is named 'uniform'"):
        audit(ScriptedPolicy(Opponent("uniform", NIT, False, "here")), Bare(), AuditSettings(deals=1))


@pytest.mark.parametrize(("game", "given"), [(KuhnPoker(), ()), (KuhnPoker(), ("mine.py:last",)), (Bare(), ())])
def test_an_audit_tells_how_many_episodes_it_has_played(game, given, agent, tmp_path):
    (tmp_path / "mine.py").write_text("def last(seen, legal):\n    return {legal[-1]: 1.0}\n")
    told = []
    settings = AuditSettings(deals=4, opponents=given)
    found = audited(agent, game, settings, progress=lambda more, total: told.append((more, total)))
    assert told[0] == (0, found.agent.played)
    assert {total for _, total in told} == {found.agent.played}
    assert sum(more for more, _ in told) == found.agent.played


def test_a_stranger_s_domain_of_a_game_of_ours_is_its_own_games_alone(tmp_path):
    (tmp_path / "bare.py").write_text(
        "from equipoise.games import Domain\nfrom equipoise.games.kuhn_poker import KuhnPoker\n"
        "BARE = Domain(KuhnPoker)\n"
    )
    theirs = make_game("bare.py:BARE")
    assert not any(domain_of(theirs).corrected.pools.of(pool) for pool in ("train", "exploiter"))
    for ours in (KuhnPoker(), make_game("kuhn_poker")):
        assert domain_of(ours).corrected.pools.of("train")
    assert not domain_of(theirs).corrected.pools.of("train")
