"""Numbers, durations and lists in words."""

from equipoise.reports.formats import MISSING, decimals, duration, listing, number, visible

# Numbers in words


def test_numbers_keep_their_decimals_and_never_round_to_zero():
    assert decimals([0.5, None, -0.2]) == 3
    assert decimals([0.5, 0.004]) == 4
    assert number(-0.5, 3) == "\N{MINUS SIGN}0.500"
    assert number(0.0, 3) == "0.000"
    assert number(1e-9, 4) == "<0.0001"
    assert number(None, 3) == MISSING


def test_invisible_characters_are_spelled_out():
    assert visible("a\n\tb") == "a\n\tb"
    assert visible("\x00\x1b\u202e\u2066\ud800\r") == "".join(
        f"⟨U+{code}⟩" for code in ("0000", "001B", "202E", "2066", "D800", "000D")
    )


def test_durations_and_lists_read_as_english():
    assert [duration(s) for s in (9.81, 45, 171, 9000)] == ["9.8 s", "45 s", "2.9 min", "2.5 h"]
    assert [listing(n) for n in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a and b", "a, b and c"]
