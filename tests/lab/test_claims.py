"""A claim has one owner, is respected while the owner lives, and is taken over when the owner is gone or silent."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from equipoise.lab import claims
from equipoise.lab.claims import RUBBISH_S, SILENT_S, claimed, owner_of
from equipoise.process import Process


def planted(path, age_s=0.0, **change):
    """A claim of this process but for the changes, as old as is said."""
    owner = dataclasses.replace(Process.current(), **change)
    path.write_text(json.dumps({**dataclasses.asdict(owner), "token": "1"}))
    aged(path, age_s)
    return path


def aged(path, age_s):
    then = time.time() - age_s
    os.utime(path, (then, then))


def got(path):
    with claimed(path) as mine:
        return mine


def test_a_claim_names_this_process_and_is_given_back(tmp_path):
    path = tmp_path / "g" / "a-0.claim"
    with claimed(path) as mine:
        assert mine
        assert owner_of(path) == Process.current()
        assert not got(path)
        assert path.exists()
    assert not path.exists()


def test_a_claim_is_given_back_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), claimed(tmp_path / "a.claim"):
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_claim_is_given_back_when_its_process_is_asked_to_end(tmp_path, number):
    with pytest.raises(KeyboardInterrupt), claimed(tmp_path / "a.claim"):
        signal.raise_signal(number)
    assert not list(tmp_path.iterdir())


def test_a_living_owner_is_respected_however_old_its_claim_is(tmp_path):
    assert not got(planted(tmp_path / "a.claim", age_s=9 * SILENT_S))


def test_the_claim_of_a_killed_process_is_taken_over_at_once(tmp_path):
    code = """
        import sys, time
        from pathlib import Path
        from equipoise.lab.claims import claimed
        with claimed(Path("a.claim")):
            print("claimed", flush=True)
            time.sleep(60)
    """
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "claimed\n"
    assert not got(tmp_path / "a.claim")
    child.kill()
    child.communicate()
    assert owner_of(tmp_path / "a.claim").pid == child.pid
    assert got(tmp_path / "a.claim")


def test_a_claim_whose_id_another_process_has_now_is_taken_over_at_once(tmp_path):
    assert got(planted(tmp_path / "a.claim", started="12345"))


def test_another_machine_s_claim_is_taken_over_when_it_has_been_silent(tmp_path):
    assert not got(planted(tmp_path / "a.claim", age_s=SILENT_S - 30, machine="elsewhere", pid=1))
    assert got(planted(tmp_path / "a.claim", age_s=SILENT_S + 30, machine="elsewhere", pid=1))


RUBBISH = ["", "{", "{}", "[]", "7", "null", '{"machine": 1, "pid": "x", "started": []}', "[" * 100_000, "\x00\xff"]
OLDER = '{"host": "here", "pid": 1}'


@pytest.mark.parametrize("text", [*RUBBISH, OLDER], ids=lambda text: text[:12])
def test_rubbish_is_a_claim_for_a_moment_and_abandoned_then(tmp_path, text):
    path = tmp_path / "a.claim"
    path.write_text(text, encoding="latin-1")
    assert owner_of(path) is None
    assert not got(path)
    aged(path, RUBBISH_S + 5)
    assert got(path)
    assert not path.exists()


def test_an_owner_shows_that_it_lives(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "BEAT_S", 0.01)
    with claimed(tmp_path / "a.claim"):
        aged(tmp_path / "a.claim", 1000)
        deadline = time.monotonic() + 20
        while time.time() - (tmp_path / "a.claim").stat().st_mtime > 500:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_who_lost_a_claim_does_not_give_back_that_of_the_next(tmp_path):
    with claimed(tmp_path / "a.claim"):
        planted(tmp_path / "a.claim")
    assert owner_of(tmp_path / "a.claim") is not None


RACER = """
import sys
from pathlib import Path
from equipoise.lab.claims import claimed

for number in range(int(sys.argv[1])):
    print("ready", flush=True)
    sys.stdin.readline()
    with claimed(Path(f"{number}.claim")) as mine:
        print(mine, flush=True)
        sys.stdin.readline()
"""


@pytest.mark.parametrize("what", ["absent", "dead", "rubbish"])
def test_of_processes_that_take_over_at_once_one_wins(tmp_path, what):
    """Three processes are let go at once on the same claim, forty times; all try before the winner gives it back."""
    (tmp_path / "racer.py").write_text(RACER)
    rounds = 40
    for number in range(rounds):
        path = tmp_path / f"{number}.claim"
        if what == "dead":
            planted(path, started="12345")
        elif what == "rubbish":
            path.write_text("")
            aged(path, RUBBISH_S + 5)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    racers = [subprocess.Popen([sys.executable, "racer.py", str(rounds)], cwd=tmp_path, **pipes) for _ in range(3)]

    def heard():
        return sorted(racer.stdout.readline() for racer in racers)

    for _ in range(rounds):
        assert heard() == ["ready\n"] * 3
        for racer in racers:
            racer.stdin.write("\n")
        assert heard() == ["False\n", "False\n", "True\n"]
        for racer in racers:
            racer.stdin.write("\n")
    for racer in racers:
        racer.communicate()
        assert racer.returncode == 0
    assert not list(tmp_path.glob("*.claim"))
