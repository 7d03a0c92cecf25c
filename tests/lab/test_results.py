"""Results come back from their files as the values they were, or not at all and in one line."""

import json
import math

import pytest

from equipoise.core import Estimate
from equipoise.errors import UserError
from equipoise.lab.results import (
    AgentAudit,
    AuditResult,
    ConversationRecord,
    CrossplayResult,
    GameRecord,
    Made,
    MessageRecord,
    load_result,
    parse_result,
    result_json,
    save_result,
)

NOT_KNOWN = Estimate(0.5, math.nan, math.nan, 1, method="t over deals")


def an_audit(text="bet", **changes):
    talk = ConversationRecord(
        opponent="nash", seat=1, deal=3, returns=(1.0, math.nan), messages=(MessageRecord(side="said", text=text),)
    )
    agent = AgentAudit(
        name="agent",
        label="Agent",
        estimates={"payoff": NOT_KNOWN, "nash_conv": Estimate.exact(0.25)},
        conversations=(talk,),
        played=9,
    )
    made = Made(created="2026-01-01T00:00:00+00:00", by={"recipe": {"rl": {"steps": 6}}})
    return AuditResult(title="t", made=made, game=GameRecord(name="kuhn_poker"), agents=(agent,), **changes)


def test_a_result_comes_back_from_its_folder_as_it_was(tmp_path):
    result = an_audit()
    assert save_result(result, tmp_path) == tmp_path / "result.json"
    found = load_result(tmp_path, AuditResult)
    assert result_json(found) == result_json(result)
    assert found.agents[0].estimates["nash_conv"] == Estimate.exact(0.25)
    assert math.isnan(found.agents[0].estimates["payoff"].low)
    assert math.isnan(found.agents[0].conversations[0].returns[1])


def test_unknown_numbers_are_null_in_the_file_and_the_file_is_strict_json():
    def refused(constant):
        raise AssertionError(f"{constant} is no JSON")

    stored = json.loads(result_json(an_audit(scale=math.inf)), parse_constant=refused)
    assert stored["scale"] is None
    assert stored["agents"][0]["estimates"]["payoff"]["low"] is None


def test_half_a_surrogate_pair_that_a_model_wrote_survives_the_file(tmp_path):
    save_result(an_audit("\ud800"), tmp_path)
    assert load_result(tmp_path, AuditResult).agents[0].conversations[0].messages[0].text == "\ud800"


@pytest.mark.parametrize(
    "change",
    [
        {"version": 1},
        {"kind": "nothing"},
        {"agents": []},
        {"surprise": 1},
        {"made": None},
        {"game": {"name": 3}},
    ],
)
def test_a_file_of_another_shape_or_version_is_refused_in_one_line(change):
    record = {**json.loads(result_json(an_audit())), **change}
    with pytest.raises(UserError, match=r"^here\b") as caught:
        parse_result(json.dumps(record), "here")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, '"audit"'])
def test_what_is_no_result_is_refused_in_one_line(text):
    with pytest.raises(UserError, match=r"^here\b"):
        parse_result(text, "here")


def test_a_result_of_another_kind_than_is_asked_for_is_refused(tmp_path):
    save_result(an_audit(), tmp_path)
    with pytest.raises(UserError, match="audit"):
        load_result(tmp_path, CrossplayResult)


def test_a_folder_without_a_result_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"result\.json"):
        load_result(tmp_path)
