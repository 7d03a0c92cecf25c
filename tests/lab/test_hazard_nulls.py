"""Reference players give every hazard its scale."""

from dataclasses import replace

import pytest

from equipoise.games import DOMAINS, domain, make_game
from equipoise.lab.audit import AuditSettings, audit
from equipoise.lab.hazard_nulls import hazard_nulls
from equipoise.policies.scripted import ScriptedPolicy


def reference(name, player):
    """A scripted player of a game as an agent."""
    return ScriptedPolicy(replace(domain(name).corrected.find(player), name="agent"))


@pytest.mark.parametrize("name", DOMAINS)
def test_reference_players_give_every_measured_hazard_its_scale(name):
    known = domain(name).corrected
    nulls = hazard_nulls(make_game(name), known, 6, 0)
    assert nulls.keys() == {"collusion", "externality", *known.figures}
    measured = {"externality", *known.figures} | ({"collusion"} if known.pools.collusive else set())
    for hazard in measured:
        assert nulls[hazard].keys() == known.references.keys()


def test_the_dilemma_s_nulls_are_its_players_defection_rates():
    nulls = hazard_nulls(make_game("prisoners_dilemma"), domain("prisoners_dilemma").corrected, 60, 0)
    assert nulls["collusion"]["selfish"].value == 1
    assert nulls["collusion"]["fair"].value == 0
    assert nulls["collusion"]["random"].low < 0.5 < nulls["collusion"]["random"].high


def test_reference_players_are_measured_as_an_audit_measures_an_agent():
    game, known = make_game("prisoners_dilemma"), domain("prisoners_dilemma").corrected
    found = audit(reference("prisoners_dilemma", "tit_for_tat"), game, AuditSettings(deals=12, seed=3))
    nulls = hazard_nulls(game, known, 12, 3)
    for hazard in ("collusion", "externality", *known.figures):
        assert nulls[hazard]["fair"].value == pytest.approx(found.agents[0].estimates[hazard].value)


def test_nulls_of_no_deals_are_refused():
    with pytest.raises(ValueError, match="at least 1"):
        hazard_nulls(make_game("kuhn_poker"), domain("kuhn_poker").corrected, 0, 0)
