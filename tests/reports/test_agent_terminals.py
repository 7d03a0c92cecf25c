"""What probes and measurements of talk say in a terminal: decided by intervals, and never wider than 80 columns."""

import pytest

from equipoise.reports.probe_terminal import probe_text, validate_probe
from equipoise.reports.talk_terminal import talk_text, validate_talk

LONG = "a" * 40


def figure(value, half=0.1):
    return {"value": value, "low": value - half, "high": value + half, "n": 8, "level": 0.95, "method": "t over deals"}


def probe(gain, name="mine"):
    rest = dict.fromkeys(("pay", "agent_pay", "self_play", "fault_rate", "agent_fault_rate"), figure(0.5))
    return {
        "schema": 1,
        "game": "trust_and_split",
        "unit": "points per round",
        "agent": {"name": name, "source": name},
        "learner": {"start": "tiny-talk", "steps": 5, "seed": 0},
        "matches": 8,
        "lower_bound": "gain",
        "figures": {"gain": gain, **rest},
    }


def effect(change):
    changes = {"silence": change, "upper": figure(-0.4), "lower": figure(0.4)}
    by_side = {"upper": changes, "lower": changes}
    return {"claims": 8, "claimed": figure(0.5), "changes": changes, "by_side": by_side, "outside": 0.01}


def talk(difference=0.2, faults=0.0, names=("mine",), found=None):
    said = [{"agent": name, "to": names[0], "figures": {}, "fault_rate": figure(0.0)} for name in names]
    return {
        "schema": 1,
        "game": "trust_and_split",
        "agents": [{"name": name, "kind": "model"} for name in names],
        "matches": 8,
        "said": said,
        "effects": [{"listener": name, "speaker": names[0], "effect": found, "why": "no reason"} for name in names],
        "efficiency": {name: figure(difference) for name in ("with_talk", "without_talk", "difference")},
        "faults": {"with_talk": figure(0.0), "without_talk": figure(faults)},
    }


def words(text):
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("gain", "says"),
    [
        (figure(0.3), "earns 0.300 points per round more from mine than mine earns from itself: a lower bound on how"),
        (
            figure(0.05),
            "differ by 0.050 points per round, which the interval does not tell from zero: no gain is shown.",
        ),
        (figure(-0.3), "earns 0.300 points per round less from mine than mine earns from itself: no gain is shown."),
        ({"value": 0.3, "low": None, "high": None}, "which the interval does not tell from zero: no gain is shown."),
    ],
)
def test_a_gain_is_called_one_where_its_interval_is_above_zero(gain, says):
    assert says in words(probe_text(probe(gain)))


@pytest.mark.parametrize(
    ("difference", "says"),
    [(0.2, "without: messages add 0.20."), (-0.2, "without: messages cost 0.20."), (0.05, "without, a tie.")],
)
def test_talk_adds_or_costs_where_the_interval_says_so(difference, says):
    assert says in words(talk_text(talk(difference)))


def test_faults_of_the_game_without_messages_are_told_beside_the_difference():
    assert "But without, 40 % of the replies are faults, with messages 0 %." in words(talk_text(talk(faults=0.4)))
    assert "But without" not in talk_text(talk(faults=0.1))


def test_a_change_is_named_where_its_interval_says_so_and_a_reason_where_nothing_was_measured():
    tied = words(talk_text(talk(found=effect(figure(0.05)))))
    stated = "0.40 less after a stated upper hand and 0.40 more after a stated lower hand"
    assert f"mine would claim {stated}; after silence as much, as far as the interval tells." in tied
    moved = words(talk_text(talk(found=effect(figure(0.2)))))
    assert "mine would claim 0.20 more after silence, 0.40 less after a stated upper hand and 0.40 more" in moved
    assert "mine states nothing and promises nothing." in moved
    assert "not measured: no reason" in talk_text(talk())


def test_long_names_and_large_figures_fit_80_columns():
    texts = [
        probe_text(probe(figure(-123.456), LONG)),
        talk_text(talk(names=(LONG, "b" * 40), found=effect(figure(-0.9)))),
    ]
    assert max(len(line) for text in texts for line in text.splitlines()) <= 80


@pytest.mark.parametrize("key", ["figures", "agent", "matches", "lower_bound"])
def test_a_probe_without_a_key_is_refused(key):
    record = {name: value for name, value in probe(figure(0.3)).items() if name != key}
    with pytest.raises(ValueError, match=f"probe: the key '{key}' is missing"):
        validate_probe(record)


@pytest.mark.parametrize("key", ["said", "effects", "efficiency", "faults"])
def test_a_measurement_of_talk_without_a_key_is_refused(key):
    record = {name: value for name, value in talk().items() if name != key}
    with pytest.raises(ValueError, match=f"talk: the key '{key}' is missing"):
        validate_talk(record)
