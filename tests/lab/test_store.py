"""A store keeps results whole, with what made them, computes each once, and refuses what is not its own."""

import dataclasses
import json
import math
import os
import subprocess
import sys
import time

import pytest

from equipoise import files
from equipoise.core import Estimate
from equipoise.errors import UserError
from equipoise.lab.claims import claimed
from equipoise.lab.results import GameRecord, Made, Participant, ProbeFigures, ProbeResult, load_result
from equipoise.lab.store import (
    RESULT_KEY,
    SETTINGS,
    JsonRecord,
    ResultCodec,
    Store,
    ValueCodec,
    check_folder,
    refuse_others,
)
from equipoise.process import Process


def of(folder, **settings):
    return Store(folder, "probe", JsonRecord(lambda record: record["value"]), settings)


def computed(key):
    return {"key": key, "value": 1}


def never(key):
    """A computation that must not be needed."""
    raise AssertionError(f"{key} was computed again")


def test_a_result_is_computed_once_and_reads_back_as_it_was_returned(tmp_path):
    store = of(tmp_path / "o", a=(1, 2))
    assert store.open()
    assert store.get("g/x") is None
    first = store.result("g/x", computed)
    assert first == {"key": "g/x", "value": 1, "made_by": {"a": [1, 2]}}
    assert not store.open()
    assert store.result("g/x", never) == store.get("g/x") == first
    assert store.finished(["g/x", "g/y"]) == [first]
    assert json.loads((tmp_path / "o" / SETTINGS).read_text()) == {"a": [1, 2]}
    assert sorted(path.name for path in (tmp_path / "o").rglob("*")) == ["g", SETTINGS, "x.json"]


@dataclasses.dataclass(frozen=True)
class Point:
    """A typed result."""

    x: int


class Points:
    """A codec of points."""

    def dump(self, result, made_by):
        return json.dumps({"x": result.x, "by": dict(made_by)})

    def load(self, text):
        return Point(json.loads(text)["x"])

    def made_by(self, text):
        return json.loads(text)["by"]


def test_results_may_be_typed(tmp_path):
    store = Store(tmp_path, "point", Points(), {"a": 1})
    store.open()
    assert store.result("p", lambda key: Point(3)) == store.get("p") == Point(3)


def a_probe(name="mine"):
    figure = Estimate(0.5, 0.4, math.nan, 8)
    names = ("pay", "agent_pay", "self_play", "gain", "fault_rate", "agent_fault_rate")
    return ProbeResult(
        title="t",
        made=Made(created="2026-01-01T00:00:00+00:00"),
        game=GameRecord(name="kuhn_poker"),
        agent=Participant(name=name, source=name, kind="model"),
        learner={},
        matches=8,
        seed=0,
        fault_rule="forfeit",
        figures=ProbeFigures(**dict.fromkeys(names, figure)),
    )


def test_a_result_carries_what_decides_it_and_one_of_other_settings_is_refused(tmp_path):
    settings = {"agent": {"kind": "model"}, "scale": math.nan}
    store = Store(tmp_path, "probe", ResultCodec(ProbeResult), settings)
    assert store.result(RESULT_KEY, lambda key: a_probe()).made.by == {"agent": {"kind": "model"}, "scale": None}
    assert store.get(RESULT_KEY).agent.name == load_result(tmp_path, ProbeResult).agent.name == "mine"
    other = Store(tmp_path, "probe", ResultCodec(ProbeResult), {**settings, "scale": 2.0})
    with pytest.raises(UserError, match=r"of other settings \(scale: null, now 2.0\); choose another --out"):
        other.get(RESULT_KEY)


@pytest.mark.parametrize("text", ["{", "[]", '{"x": 1}', '{"kind": "audit", "version": 2}', '{"agent": 3}'])
def test_what_is_no_typed_value_is_one_line_that_says_what_to_do(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    for codec in (ResultCodec(ProbeResult), ValueCodec(Participant)):
        with pytest.raises(UserError, match=r"a\.json is no stored probe \(.*\); delete it to compute it again"):
            Store(tmp_path, "probe", codec).get("a")


def test_a_part_of_a_result_keeps_what_decides_it_beside_its_fields(tmp_path):
    store = Store(tmp_path, "part", ValueCodec(Participant), made_by=lambda key: {"seed": 1})
    part = Participant(name="mine", source="tiny", kind="model", sampling={"temperature": 0.5})
    assert store.put("a", part) == store.get("a") == part
    assert json.loads((tmp_path / "a.json").read_text())["made_by"] == {"seed": 1}
    with pytest.raises(UserError, match=r"seed: 1, now 2"):
        Store(tmp_path, "part", ValueCodec(Participant), made_by=lambda key: {"seed": 2}).get("a")


def test_without_settings_any_folder_will_do_and_none_is_made(tmp_path):
    store = Store(tmp_path / "o", "cell", JsonRecord())
    assert not store.open()
    assert list(tmp_path.iterdir()) == []
    assert store.put("a", {"b": 1}) == {"b": 1}
    assert os.listdir(tmp_path / "o") == ["a.json"]


@pytest.mark.parametrize("begun", [False, True])
def test_a_mistake_leaves_a_folder_only_where_something_was_begun(tmp_path, begun):
    store = of(tmp_path / "o", a=1)

    def mistaken(key):
        if begun:
            (store.folder / "begun").write_text("mine")
        raise UserError("broken")

    for _ in range(2):  # the second time the folder was there before
        with pytest.raises(UserError, match="broken"), store.opened(store.folder / "begun"):
            store.result("x", mistaken)
        assert store.folder.exists() == begun


def test_a_store_of_other_settings_is_refused_and_kept(tmp_path):
    store = of(tmp_path / "o", a=1)
    store.open()
    store.result("x", computed)
    with pytest.raises(UserError, match=r"o holds a probe of other settings \(a: 1, now 2\); choose another --out"):
        of(tmp_path / "o", a=2).open()
    assert store.get("x")["value"] == 1


@pytest.mark.parametrize("name", ["note.txt", "x.json"])
def test_a_folder_of_something_else_or_one_that_lost_its_settings_is_refused_and_kept(tmp_path, name):
    (tmp_path / name).write_text("{}")
    with pytest.raises(UserError, match=r"holds files, but no settings\.json of a probe; choose another --out"):
        of(tmp_path, a=1).open()
    assert os.listdir(tmp_path) == [name]


def test_a_store_without_results_goes_on(tmp_path):
    assert of(tmp_path, a=1).open()
    store = of(tmp_path, a=1)
    assert not store.open()
    assert store.result("x", computed)["value"] == 1


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a"', "[" * 100_000, "\xff"], ids=lambda text: text[:5])
def test_broken_settings_are_one_line(tmp_path, text):
    (tmp_path / SETTINGS).write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=r"settings\.json cannot be read .*; choose another --out$"):
        of(tmp_path, a=1).open()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"value": 1', "[" * 100_000, "\xff", '{"value": 1}'])
def test_a_broken_result_is_one_line_that_says_what_to_do_and_is_kept(tmp_path, text):
    store = of(tmp_path, a=1)
    store.open()
    store.path("x").write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=r"x\.json is no stored probe \(.*\); delete it to compute it again$"):
        store.result("x", never)
    assert store.path("x").read_text(encoding="latin-1") == text


def test_a_result_that_something_else_made_is_refused_and_those_not_asked_for_are_left_alone(tmp_path):
    def store(deals):
        return Store(tmp_path, "cell", JsonRecord(), made_by=lambda key: {"key": key, "deals": deals})

    for key in "xy":
        store(2).result(key, computed)
    store(3).result("z", computed)
    with pytest.raises(UserError, match=r"x in .* is of other settings \(deals: 2, now 3\); choose another --out"):
        store(3).result("x", never)
    assert [found["key"] for found in store(3).finished("z")] == ["z"]
    assert len(store(2).finished("xy")) == 2


@pytest.mark.parametrize(
    ("found", "wanted", "says"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 2}}, r"x of other settings \(a\.b: 1, now 2\); choose another --out"),
        ({"a": 1}, {"a": 1, "b": None, "c": 3}, r"\(c: null, now 3\)"),
        ({"a": [1], "z": 0}, {"a": (1,)}, r"\(z: 0, now null\)"),
    ],
)
def test_the_first_setting_that_differs_is_named(found, wanted, says):
    with pytest.raises(UserError, match=says):
        refuse_others(found, wanted, "x")
    refuse_others(json.loads(json.dumps(wanted)), wanted, "x")


def test_a_result_that_another_process_computes_is_one_line_that_names_it(tmp_path):
    store = of(tmp_path, a=1)
    with store.opened(tmp_path / "begun"), claimed(tmp_path / "x.claim"):
        with pytest.raises(UserError, match=rf"process {os.getpid()} on .* computes x in .*; wait for it"):
            store.result("x", never)
        assert store.compute("x", never) is None
    assert store.result("x", computed)["value"] == 1


def test_a_folder_cannot_be_made_through_a_file(tmp_path):
    (tmp_path / "file").write_text("mine")
    check_folder(tmp_path / "new" / "folder")
    for out in (tmp_path / "file", tmp_path / "file" / "o"):
        with pytest.raises(UserError, match=r"file is a file; choose another folder"):
            of(out, a=1).open()
    assert (tmp_path / "file").read_text() == "mine"


def temporary(folder, name, process, age_s):
    path = folder / f".{name}@{process.machine}@{process.pid}@{process.started}.abc_1234.tmp"
    path.write_text("half")
    then = time.time() - age_s
    os.utime(path, (then, then))
    return path


def test_what_killed_writers_left_is_swept_and_nothing_else(tmp_path):
    here = Process.current()
    dead, elsewhere = dataclasses.replace(here, started="12345"), dataclasses.replace(here, machine="else.where")
    (tmp_path / "g").mkdir()
    swept = [temporary(tmp_path / "g", "x.json", dead, 60), temporary(tmp_path, "y.json", elsewhere, 7200)]
    kept = [
        temporary(tmp_path, "x.json", here, 7200),
        temporary(tmp_path, "y.json", dead, 0),
        temporary(tmp_path, "z.json", elsewhere, 60),
        tmp_path / ".mine.tmp",
        tmp_path / "x.json",
    ]
    for path in kept[3:]:
        path.write_text("mine")
    of(tmp_path).open()
    assert [path.exists() for path in swept] == [False, False]
    assert [path.exists() for path in kept] == [True] * 5


WRITER = """
import os, signal, sys
from pathlib import Path
from equipoise import files
files.os.replace = lambda *paths: os.kill(os.getpid(), signal.SIGKILL)
files.write_atomically(Path("settings.json"), "{}")
"""


def test_a_folder_where_a_writer_was_killed_is_empty_again(tmp_path, monkeypatch):
    subprocess.run([sys.executable, "-c", WRITER], cwd=tmp_path, check=False)
    (left,) = os.listdir(tmp_path)
    assert left.startswith(".settings.json@")
    assert of(tmp_path, a=1).open()  # it is younger than a moment: left alone, and no obstacle
    assert left in os.listdir(tmp_path)
    monkeypatch.setattr(files, "_MOMENT_S", 0)
    assert not of(tmp_path, a=1).open()
    assert os.listdir(tmp_path) == [SETTINGS]


OPENER = """
import sys
from pathlib import Path
from equipoise.lab.store import JsonRecord, Store
print("ready", flush=True)
sys.stdin.readline()
try:
    Store(Path("o"), "probe", JsonRecord(), {"a": int(sys.argv[1])}).open()
    print("opened")
except ValueError as error:
    print("refused" if "of other settings (a: " in str(error) else error)
"""


def test_of_two_processes_that_open_one_folder_with_other_settings_one_is_refused(tmp_path):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    openers = [
        subprocess.Popen([sys.executable, "-c", OPENER, str(number)], cwd=tmp_path, **pipes) for number in range(2)
    ]
    for opener in openers:
        assert opener.stdout.readline() == "ready\n"
    for opener in openers:
        opener.stdin.write("\n")
        opener.stdin.flush()
    assert sorted(opener.communicate()[0] for opener in openers) == ["opened\n", "refused\n"]
