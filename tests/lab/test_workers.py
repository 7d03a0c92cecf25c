"""Cells are computed once, in order of need, shared between calls, and survive whatever ends a process."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from equipoise.errors import UserError
from equipoise.lab.claims import claimed
from equipoise.lab.store import JsonRecord, Store
from equipoise.lab.workers import Cell, run


def of(folder):
    return Store(folder, "cell", JsonRecord())


def double(key):
    """A picklable computation."""
    return {"key": key, "pid": os.getpid()}


def never(key):
    """A computation that must not be needed."""
    raise AssertionError(f"{key} was computed again")


def mistaken(key):
    """A computation that meets a user's mistake."""
    raise UserError("no such model")


def killed(key):
    """A computation that the system ends."""
    os.kill(os.getpid(), signal.SIGKILL)


class Needing:
    """Fails unless what a cell needs is on disk already."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, key):
        if key.startswith("g/late"):
            assert of(self.folder).get("g/first-0") is not None
        return {"key": key}


def quiet(key, result, left, seconds):
    """Says nothing."""


def test_every_cell_is_written_and_told_once(tmp_path):
    told = []
    cells = [Cell("g/a-0"), Cell("g/b-0")]
    run(of(tmp_path), cells, double, progress=lambda key, result, left, seconds: told.append((key, result, left)))
    assert [(key, left) for key, _, left in told] == [("g/a-0", 1), ("g/b-0", 0)]
    assert told[1][1] == of(tmp_path).get("g/b-0")
    assert told[0][1]["pid"] == told[1][1]["pid"] != os.getpid()
    assert not list(tmp_path.rglob("*.claim"))


def test_a_finished_cell_is_never_computed_again(tmp_path):
    run(of(tmp_path), [Cell("g/a-0")], double, progress=quiet)
    before = of(tmp_path).path("g/a-0").read_text()
    run(of(tmp_path), [Cell("g/a-0")], never, progress=quiet)
    assert of(tmp_path).path("g/a-0").read_text() == before


def test_a_cell_waits_for_what_it_needs(tmp_path):
    cells = [Cell("g/late-0", ("g/first-0",)), Cell("g/first-0")]
    run(of(tmp_path), cells, Needing(tmp_path), jobs=2, progress=quiet)
    assert of(tmp_path).get("g/late-0") == {"key": "g/late-0"}


def test_a_need_nobody_fulfils_is_one_line(tmp_path):
    with pytest.raises(UserError, match="cell g/a-0 needs g/zero-0, which is neither finished nor asked for"):
        run(of(tmp_path), [Cell("g/a-0", ("g/zero-0",))], double, progress=quiet)


@pytest.mark.parametrize(
    ("compute", "raised", "says"),
    [
        (mistaken, UserError, r"^g/bad-0: no such model$"),
        (never, RuntimeError, r"^g/bad-0: Traceback(.|\n)*AssertionError: g/bad-0 was computed again"),
        (killed, UserError, r"^g/bad-0: its worker was killed by signal 9, .*; the same command goes on$"),
    ],
)
def test_what_goes_wrong_in_a_worker_names_the_cell_and_nothing_else_is_lost(tmp_path, compute, raised, says):
    store = of(tmp_path)
    run(store, [Cell("g/good-0")], double, progress=quiet)
    with pytest.raises(raised, match=says):
        run(store, [Cell("g/bad-0")], compute, progress=quiet)
    assert store.get("g/good-0") is not None
    assert not store.has("g/bad-0")
    run(store, [Cell("g/good-0"), Cell("g/bad-0")], double, progress=quiet)
    assert store.get("g/bad-0")["key"] == "g/bad-0"
    assert not list(tmp_path.rglob("*.claim"))


def test_two_calls_divide_the_cells_of_one_store(tmp_path):
    """The other call holds a cell until this one has done all others and asked for it again."""
    told = []

    def progress(key, result, left, seconds):
        told.append(key)
        if key == "b":
            of(tmp_path).put("a", {"by": "the other"})

    with claimed(tmp_path / "a.claim"):
        run(of(tmp_path), [Cell("a"), Cell("b")], double, progress=progress)
    assert told[0] == "b"
    assert of(tmp_path).get("a") == {"by": "the other"}


def test_no_cell_starts_after_the_time_is_up(tmp_path):
    run(of(tmp_path), [Cell("a-0")], never, progress=quiet, minutes=0)
    assert not of(tmp_path).has("a-0")


def test_zero_workers_are_refused(tmp_path):
    with pytest.raises(UserError, match="got jobs=0; at least 1 worker is needed"):
        run(of(tmp_path), [Cell("a-0")], double, jobs=0, progress=quiet)


@pytest.fixture
def napping(tmp_path):
    """A process whose two workers are idle and busy: the one has finished its cell, the other sleeps in its own."""
    (tmp_path / "naps.py").write_text(
        textwrap.dedent("""
        import os, sys, time
        from pathlib import Path
        from equipoise.lab.store import JsonRecord, Store
        from equipoise.lab.workers import Cell, run

        def nap(key):
            Path(f"{key}.pid").write_text(str(os.getpid()))
            time.sleep(60 if key == "long" else 0)
            return {}

        if __name__ == "__main__":
            try:
                store = Store(Path("o"), "nap", JsonRecord())
                run(store, [Cell("short"), Cell("long")], nap, jobs=2, progress=lambda *told: None)
            except KeyboardInterrupt:
                sys.exit(130)
            except ValueError as error:
                print(error, file=sys.stderr)
                sys.exit(2)
        """)
    )
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    child = subprocess.Popen([sys.executable, "naps.py"], cwd=tmp_path, start_new_session=True, **streams)
    deadline = time.monotonic() + 50
    while not (tmp_path / "o" / "short.json").is_file() or not (tmp_path / "long.pid").is_file():
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert (tmp_path / "o" / "long.claim").is_file()
    return child


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("send", [os.kill, os.killpg], ids=["parent", "group"])
def test_ctrl_c_and_its_like_end_busy_and_idle_workers_and_free_claims(napping, tmp_path, number, send):
    send(napping.pid, number)
    _, err = napping.communicate(timeout=30)
    assert napping.returncode == 130, err
    assert err == ""
    assert sorted(os.listdir(tmp_path / "o")) == ["short.json"]


def test_a_worker_that_is_asked_to_end_stops_the_study_and_frees_its_claim(napping, tmp_path):
    os.kill(int((tmp_path / "long.pid").read_text()), signal.SIGTERM)
    _, err = napping.communicate(timeout=30)
    assert (napping.returncode, err) == (130, "")
    assert sorted(os.listdir(tmp_path / "o")) == ["short.json"]


def test_a_worker_that_is_killed_is_one_line_and_its_cell_can_be_computed_at_once(napping, tmp_path):
    os.kill(int((tmp_path / "long.pid").read_text()), signal.SIGKILL)
    _, err = napping.communicate(timeout=30)
    assert napping.returncode == 2
    assert err.startswith("long: its worker was killed by signal 9")
    assert len(err.splitlines()) == 1
    assert json.loads((tmp_path / "o" / "long.claim").read_text())["pid"] > 0
    assert of(tmp_path / "o").compute("long", double)["key"] == "long"
    assert sorted(os.listdir(tmp_path / "o")) == ["long.json", "short.json"]


def test_workers_leave_with_a_parent_that_is_killed(napping, tmp_path):
    """The streams end when nobody holds them any more; a worker that stayed would sleep on, beyond the time-out."""
    napping.kill()
    napping.communicate(timeout=20)
    assert napping.returncode == -signal.SIGKILL
    assert of(tmp_path / "o").compute("long", double)["key"] == "long"
