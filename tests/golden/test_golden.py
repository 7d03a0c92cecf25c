"""Playthroughs with their full text; regenerate with `make golden` and read the difference before committing it."""

import pytest
from make import FOLDER, FULL, PLAYS, asked_in_full, playthrough


@pytest.mark.parametrize("name", PLAYS)
def test_playthrough_reads_as_it_did(name):
    assert playthrough(name) == (FOLDER / name).read_text(encoding="utf-8"), "run `make golden` and review the change"


def test_the_full_wording_reads_as_it_did():
    assert asked_in_full() == (FOLDER / FULL).read_text(encoding="utf-8"), "run `make golden` and review the change"


def test_every_golden_file_is_played():
    assert {path.name for path in FOLDER.glob("*.txt")} == {*PLAYS, FULL}


@pytest.mark.parametrize("name", PLAYS)
def test_golden_files_hold_prompts_of_both_seats_a_fault_and_a_forfeit(name):
    text = (FOLDER / name).read_text(encoding="utf-8")
    for needed in ("seat 0 reads:", "seat 1 reads:", "(fault: ", "You forfeit the", "The other player forfeits"):
        assert needed in text
