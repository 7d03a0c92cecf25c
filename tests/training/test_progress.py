"""Progress: a bar that fits a terminal, plain lines now and then where the output is piped."""

import io
import re

import pytest

from equipoise.training import progress
from equipoise.training.progress import Progress

FIGURES = {"NashConv": 0.25, "payoff": -0.1, "pool e": 0.0213, "KL": 0.00412, "faults": 0.0035}


@pytest.fixture
def clock(monkeypatch):
    """A clock that tells what it is set to."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def shown(clock, steps, width=None, label="training", total=100):
    """All that a piece of work wrote that took three seconds a step."""
    stream = io.StringIO()
    with Progress(label, total, stream=stream, width=width) as bar:
        for _ in range(steps):
            clock[0] += 3.0
            bar.advance(FIGURES)
    return stream.getvalue()


def test_piped_output_is_plain_lines_at_a_modest_rate(clock):
    text = shown(clock, 100)
    assert not re.search(r"[\r\x1b\b]", text)
    lines = text.splitlines()
    assert 8 <= len(lines) <= 12  # 300 seconds
    assert all("NashConv 0.25" in line for line in lines)
    assert lines[0].startswith("training 10/100, ")
    assert lines[-1].startswith("training 100/100, ")


def test_short_work_is_one_line(clock):
    assert len(shown(clock, 2, total=2).splitlines()) == 1


@pytest.mark.parametrize("width", [40, 60, 80, 200])
@pytest.mark.parametrize("label", ["pool", "a rather long name of a recipe"])
def test_a_bar_fits_its_terminal_and_shows_the_first_figure_where_it_can(width, label, clock):
    text = shown(clock, 5, width=width, label=label)
    drawn = text.removesuffix("\n").split("\r")[1:]
    assert len(drawn) >= 5
    assert all(len(line) == width - 1 for line in drawn)
    assert drawn[-1].startswith(f"{label} 5/100"[: width - 1])
    if width >= 80:
        assert "NashConv 0.25" in drawn[-1]
        assert drawn[-1].rstrip().endswith("4:45 left")
    assert ("faults" in drawn[-1]) == (width == 200)


def test_a_resumed_piece_goes_on_from_what_was_done(clock):
    stream = io.StringIO()
    with Progress("training", 10, done=8, stream=stream) as bar:
        clock[0] += 5.0
        bar.advance()
        clock[0] += 60.0
        bar.advance(FIGURES)
    assert stream.getvalue().splitlines()[-1].startswith("training 10/10")


class Hung(io.StringIO):
    """A terminal that is gone."""

    tried = 0

    def write(self, text):
        self.tried += 1
        raise OSError("Input/output error")


def test_a_terminal_that_is_gone_stops_nothing(clock):
    stream = Hung()
    with Progress("training", 2, stream=stream, width=80) as bar:
        clock[0] += 60.0
        bar.advance()
    assert stream.tried == 2  # at the step and at the end; the clock of the tests starts where no drawing is due


def test_it_can_be_switched_off(clock, monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "1")
    assert shown(clock, 100) == ""


def test_work_that_knows_its_size_only_later_shows_from_its_first_word_on(capsys):
    with progress.counting("audit") as tell:
        assert capsys.readouterr().err == ""
        tell(0, 7)
        tell(3, 7)
        tell(4, 7)
    assert re.fullmatch(r"audit 7/7, \d+:\d\d\n", capsys.readouterr().err)


def test_work_that_never_begins_shows_nothing(capsys):
    with progress.counting("audit"):
        pass
    assert capsys.readouterr().err == ""


def test_piped_work_that_fails_leaves_the_line_to_the_error(capsys):
    def fails():
        with progress.counting("audit") as tell:
            tell(0, 7)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert capsys.readouterr().err == ""
