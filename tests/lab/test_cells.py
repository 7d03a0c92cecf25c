"""Cells are computed once, in order of need, survive anything, and are shared between workers."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time

import pytest

from equipoise.lab.cells import Cell, claimed, compute_cell, finished, result_path, run_cells


def double(key):
    """A picklable computation that shows how often it ran."""
    return {"key": key, "pid": os.getpid()}


def never(key):
    """A computation that must not be needed."""
    raise AssertionError(f"{key} was computed again")


class Needing:
    """Fails unless what a cell needs is on disk already."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, key):
        if key.startswith("g/late"):
            assert finished(self.folder, "g/first-0") is not None
        return {"key": key}


def quiet(key, result, left, seconds):
    """Says nothing."""


def test_every_cell_is_written_and_told_once(tmp_path):
    told = []
    cells = [Cell("g/a-0"), Cell("g/b-0")]
    run_cells(tmp_path, cells, double, told=lambda key, result, left, seconds: told.append((key, left)))
    assert [key for key, _ in told] == ["g/a-0", "g/b-0"]
    assert told[-1][1] == 0
    assert json.loads(result_path(tmp_path, "g/b-0").read_text())["key"] == "g/b-0"
    assert not list(tmp_path.rglob("*.claim"))


def test_a_finished_cell_is_never_computed_again(tmp_path):
    cells = [Cell("g/a-0")]
    run_cells(tmp_path, cells, double, told=quiet)
    before = result_path(tmp_path, "g/a-0").read_text()
    run_cells(tmp_path, cells, never, told=quiet)
    assert result_path(tmp_path, "g/a-0").read_text() == before


def test_a_cell_waits_for_what_it_needs(tmp_path):
    cells = [Cell("g/late-0", ("g/first-0",)), Cell("g/first-0")]
    run_cells(tmp_path, cells, Needing(tmp_path), jobs=2, told=quiet)
    assert finished(tmp_path, "g/late-0") == {"key": "g/late-0"}


def test_a_need_nobody_fulfils_is_one_line(tmp_path):
    with pytest.raises(ValueError, match="cell g/a-0 needs g/zero-0, which is neither finished nor asked for"):
        run_cells(tmp_path, [Cell("g/a-0", ("g/zero-0",))], double, told=quiet)


def test_a_failing_cell_raises_and_leaves_the_others_result_and_no_claim(tmp_path):
    run_cells(tmp_path, [Cell("g/good-0")], double, told=quiet)
    with pytest.raises(AssertionError, match="g/bad-0 was computed again"):
        run_cells(tmp_path, [Cell("g/bad-0")], never, told=quiet)
    assert finished(tmp_path, "g/good-0") is not None
    assert finished(tmp_path, "g/bad-0") is None
    assert not list(tmp_path.rglob("*.claim"))


def test_a_living_workers_claim_is_respected(tmp_path):
    with claimed(tmp_path / "g" / "a-0.claim") as got:
        assert got
        assert compute_cell(tmp_path, "g/a-0", never) is None
    assert compute_cell(tmp_path, "g/a-0", double)["key"] == "g/a-0"


def test_a_dead_workers_claim_is_taken_over(tmp_path):
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    claim = tmp_path / "a-0.claim"
    claim.write_text(json.dumps({"host": socket.gethostname(), "pid": int(gone.stdout)}))
    assert compute_cell(tmp_path, "a-0", double)["key"] == "a-0"


def test_another_machines_claim_is_taken_over_only_when_it_is_old(tmp_path):
    claim = tmp_path / "a-0.claim"
    claim.write_text(json.dumps({"host": "elsewhere", "pid": 1}))
    assert compute_cell(tmp_path, "a-0", never) is None
    old = time.time() - 4 * 3600
    os.utime(claim, (old, old))
    assert compute_cell(tmp_path, "a-0", double)["key"] == "a-0"


def test_no_cell_starts_after_the_time_is_up(tmp_path):
    run_cells(tmp_path, [Cell("a-0")], never, told=quiet, minutes=0)
    assert finished(tmp_path, "a-0") is None


def test_a_broken_result_says_what_to_do(tmp_path):
    result_path(tmp_path, "a-0").write_text("{")
    with pytest.raises(ValueError, match=r"a-0.json is not JSON .* delete it to compute the cell again"):
        finished(tmp_path, "a-0")


def test_zero_workers_are_refused(tmp_path):
    with pytest.raises(ValueError, match="got jobs=0; at least 1 worker is needed"):
        run_cells(tmp_path, [Cell("a-0")], double, jobs=0, told=quiet)


@pytest.fixture
def napping(tmp_path):
    """A process whose two workers are idle and busy: the one has finished its cell, the other sleeps in its own."""
    (tmp_path / "naps.py").write_text(
        textwrap.dedent("""
        import sys, time
        from pathlib import Path
        from equipoise.lab.cells import Cell, run_cells

        def nap(key):
            time.sleep(60 if key == "long" else 0)
            return {}

        if __name__ == "__main__":
            try:
                run_cells(Path("o"), [Cell("short"), Cell("long")], nap, jobs=2, told=lambda *told: None)
            except KeyboardInterrupt:
                sys.exit(130)
        """)
    )
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    child = subprocess.Popen([sys.executable, "naps.py"], cwd=tmp_path, start_new_session=True, **streams)
    deadline = time.monotonic() + 50
    while not (tmp_path / "o" / "short.json").is_file() or not (tmp_path / "o" / "long.claim").is_file():
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return child


def test_ctrl_c_ends_busy_and_idle_workers_without_a_traceback(napping, tmp_path):
    os.killpg(napping.pid, signal.SIGINT)
    _, err = napping.communicate(timeout=30)
    assert napping.returncode == 130, err
    assert err == ""
    assert not list((tmp_path / "o").glob("long.*"))


def test_workers_leave_with_a_parent_that_is_killed(napping):
    """The streams end when nobody holds them any more; a worker that stayed would sleep on, beyond the time-out."""
    napping.kill()
    napping.communicate(timeout=20)
    assert napping.returncode == -signal.SIGKILL
