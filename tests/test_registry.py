"""Names, packages, modules and files are one door; what is broken is one line for whoever asks, and for nobody else."""

import copy
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from equipoise.arena import Match, rollout
from equipoise.core import Opponent
from equipoise.errors import UserError
from equipoise.games import domain, domain_of, make_game
from equipoise.games.domain import Domain, Hazard
from equipoise.games.first_rounds import FirstRounds
from equipoise.games.kuhn_poker import DOMAIN, KuhnPoker
from equipoise.models.sources import folder_of
from equipoise.objectives.rules import Rule, rule
from equipoise.objectives.sepo import CreditBatch, CreditWeights
from equipoise.policies import ScriptedPolicy
from equipoise.registry import DOORS, KINDS, PluginWarning, code_of, find, listed, names
from packages import GAME, install

MINE = GAME.format(name="mine")


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder in which packages are found."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    yield folder
    for file in folder.glob("*.py"):
        sys.modules.pop(file.stem, None)


def line_of(kind, name):
    """The one line in which something is refused."""
    with pytest.raises(UserError) as caught:
        find(kind, name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_everything_of_ours_can_be_found_and_has_the_kind_s_type(kind):
    types = {"game": Domain, "opponent": Opponent, "hazard": Hazard, "credit_rule": Rule}
    for row in listed(kind):
        assert not row.problem
        assert isinstance(find(kind, row.name), types.get(kind, object))
    assert {"game": 8, "opponent": 1, "credit_rule": 11, "model": 2}.get(kind, 0) <= len(names(kind))


def test_a_game_has_four_spellings(site, tmp_path):
    install(site, "their_games", MINE, games={"theirs": "Mine"})
    file = tmp_path / "mine.py"
    file.write_text((site / "their_games.py").read_text())
    assert domain("kuhn_poker") is DOMAIN
    for spelling in ("theirs", "their_games:Mine", f"{file}:Mine"):
        game = make_game(spelling, hands=2)
        assert (game.name, game.parameters) == ("mine", {"hands": 2})
        assert domain_of(game).make is type(game)


@pytest.mark.parametrize(
    ("registered", "makes"),
    [("Mine", "mine"), ("made", "mine"), ("GAME", "mine"), ("DOMAIN", "mine")],
)
def test_a_class_a_function_a_game_or_a_domain_is_a_game(site, registered, makes):
    source = MINE + (
        "    def made(hands=1):\n        return Mine(hands)\n\n    GAME = Mine()\n"
        "    from equipoise.games import Domain\n    DOMAIN = Domain(Mine)\n"
    )
    install(site, "many_ways", source, games={"theirs": registered})
    assert make_game("theirs").name == makes
    assert not domain("theirs").corrected.pools.all()
    assert domain("theirs").corrected.measures == {}


def test_a_file_is_loaded_once_and_two_files_of_one_name_are_two_modules(tmp_path, monkeypatch):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "rules.py").write_text("def mine(batch, weights):\n    return batch.own\n")
    first = rule(f"{tmp_path}/a/rules.py:mine").credits.__wrapped__
    monkeypatch.chdir(tmp_path / "a")
    assert rule("rules.py:mine").credits.__wrapped__ is first
    assert rule(f"{tmp_path}/b/rules.py:mine").credits.__wrapped__ is not first


def test_a_plain_function_is_an_opponent_a_hazard_and_a_rule_of_self_play(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        'def calls(seen, legal):\n    return {legal[-1]: 1.0}\n\ndef lost(episode, seat):\n    """Chips lost."""\n'
        "    return [0.0]\n"
    )
    assert find("opponent", f"{file}:calls").name == "calls"
    assert find("opponent", f"{file}:calls").behaviour((), ("a", "b")) == {"b": 1.0}
    assert find("hazard", f"{file}:lost").definition == "Chips lost."
    assert find("credit_rule", f"{file}:calls").play == "self_play"


@pytest.mark.parametrize("kind", ["game", "opponent", "metric", "credit_rule", "model"])
def test_an_unknown_name_is_one_line_with_what_there_is(kind):
    line = line_of(kind, "nothing_of_the_kind")
    assert all(name in line for name in names(kind))
    assert DOORS[kind].called in line


def test_a_name_that_is_nearly_one_is_hinted_at():
    assert line_of("game", "kuhn").endswith("Did you mean 'kuhn_poker'?")
    assert line_of("credit_rule", "advantage_alignement").endswith("Did you mean 'advantage_alignment'?")


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("nowhere.py:Mine", "no file 'nowhere.py'"),
        ("no_such_module:Mine", "ModuleNotFoundError"),
        ("equipoise.games.kuhn_poker:KuhnPokre", "Did you mean 'KuhnPoker'?"),
        ("equipoise.errors:UserError", "needed: a Game subclass"),
        ("a b:c d", "package.module:Name"),
        ("mine.py", "mine.py:Name"),
        (":", "package.module:Name"),
        ("equipoise.core:__import__('os')", "package.module:Name"),
    ],
)
def test_a_spec_that_means_nothing_is_one_line(spec, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert told in line_of("game", spec)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import no_such_package_anywhere", "ModuleNotFoundError: No module named 'no_such_package_anywhere'"),
        ("def broken(:", "SyntaxError"),
        ("raise RuntimeError('two\\nlines')", "RuntimeError: two lines"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("x = 1 / 0", "ZeroDivisionError: division by zero (unlucky.py, line 1)"),
        ("Other = 1", "AttributeError"),
        ("Mine = 7", "needed: a Game subclass, a function that makes one, or a Domain"),
        ("class Mine: pass", "the class Mine; needed: a Game subclass"),
    ],
)
def test_a_broken_package_is_one_line_that_names_it_and_stops_nobody_else(site, source, told):
    install(site, "unlucky", source, games={"theirs": "Mine"})
    install(site, "fine", MINE, games={"sound": "Mine"})
    line = line_of("game", "theirs")
    assert "package 'unlucky'" in line
    assert told in line
    assert make_game("sound").name == "mine"
    assert make_game("kuhn_poker").name == "kuhn_poker"
    rows = {row.name: row for row in listed("game")}
    assert rows["theirs"].problem == line
    assert (rows["sound"].package, rows["sound"].problem) == ("fine", "")


def test_nothing_of_a_package_is_imported_before_it_is_asked_for(site):
    install(site, "sleeping", MINE, games={"theirs": "Mine"})
    assert "theirs" in names("game")
    make_game("kuhn_poker")
    assert "sleeping" not in sys.modules
    make_game("theirs")
    assert "sleeping" in sys.modules


def test_two_packages_of_one_name_are_told_apart_by_their_modules(site):
    for package in ("first_of_two", "second_of_two"):
        install(site, package, MINE, games={"theirs": "Mine"})
    line = line_of("game", "theirs")
    for package in ("first_of_two", "second_of_two"):
        assert f"package {package!r}" in line
        assert f"{package}:Mine" in line
        assert make_game(f"{package}:Mine").name == "mine"
    assert make_game("kuhn_poker").name == "kuhn_poker"


def test_a_package_cannot_take_one_of_our_names(site):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        domain("split")
    install(site, "bold", MINE, games={"split": "Mine"})
    with pytest.warns(PluginWarning, match="package 'bold' also offers a game 'split'; ours is used"):
        assert make_game("split").name == "split"
    with warnings.catch_warnings():  # nobody who asks for another name hears of it
        warnings.simplefilter("error")
        make_game("kuhn_poker")


def test_a_stranger_s_game_of_one_of_our_names_has_none_of_our_pools(tmp_path):
    file = tmp_path / "copy.py"
    file.write_text("from equipoise.games.wrapped import WrappedGame\nfrom equipoise.games.split import Split\n"
                    "class Copy(WrappedGame):\n    name = 'split'\n    def __init__(self):\n"
                    "        super().__init__(Split())\n    def initial_state(self):\n"
                    "        return self.inner.initial_state()\n")  # fmt: skip
    assert not domain_of(make_game(f"{file}:Copy")).corrected.pools.all()
    assert domain_of(KuhnPoker(hands=2)) is DOMAIN
    assert domain_of(make_game("split")).corrected.pools.train


LENT = """
    from dataclasses import dataclass
    from equipoise.core import Opponent, Pools
    from equipoise.games import Domain, Profile
    from equipoise.games.kuhn_poker import KuhnPoker

    class Mine(KuhnPoker):
        name = "mine"

    @dataclass(frozen=True, slots=True)
    class Frozen(Mine):
        hands: int = 1

        def __post_init__(self):
            object.__setattr__(self, "num_rounds", self.hands)

    def _pool(name):
        return Profile(Pools(train=(Opponent(name, lambda seen, legal: {legal[0]: 1.0}, False, "here"),)))

    LENT = Frozen(3)
    FIRST = Domain(lambda: LENT, _pool("first"))
    SECOND = Domain(lambda: LENT, _pool("second"))
    THIRD = Domain(Mine, _pool("third"))
"""


def test_one_game_that_two_domains_hand_out_has_each_time_the_domain_it_was_made_by(site):
    install(site, "lending", LENT, games={"first": "FIRST", "second": "SECOND"})
    games = {name: make_game(name) for name in ("first", "second")}
    for name, game in games.items():
        assert [script.name for script in domain_of(game).pools.train] == [name]
        assert (type(game).__name__, game.hands, game.num_rounds) == ("Frozen", 3, 3)
    assert not domain_of(sys.modules["lending"].LENT).pools.all()


def test_a_game_cut_short_copied_or_pickled_has_the_domain_of_the_whole(site):
    install(site, "lending", LENT, games={"third": "THIRD"})
    for name in names("game"):
        game = make_game(name)
        for again in (FirstRounds(game), copy.copy(game), copy.deepcopy(game), pickle.loads(pickle.dumps(game))):
            assert domain_of(again) is domain(name)


def test_a_game_that_cannot_be_made_is_one_line(tmp_path):
    file = tmp_path / "half.py"
    file.write_text("from equipoise import Game\nclass Half(Game):\n    name = 'half'\ndef none():\n    return 3\n")
    for spec, told in ((f"{file}:Half", "abstract"), (f"{file}:none", "a value of type int; needed: a Game")):
        with pytest.raises(UserError, match=told) as caught:
            make_game(spec)
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="no parameter 'rounds'; known: none"):
        make_game(f"{file}:none", rounds=2)


def test_a_package_brings_a_model_along(site, tmp_path):
    weights = tmp_path / "weights"
    install(
        site, "with_weights", f"FOLDER = {str(weights)!r}\ndef found():\n    return FOLDER", models={"theirs": "found"}
    )
    assert "no such folder" in line_of("model", "theirs")
    weights.mkdir()
    assert folder_of("theirs") == folder_of("with_weights:FOLDER") == weights
    assert folder_of("elsewhere/weights") == Path("elsewhere/weights")


def test_the_code_of_a_file_is_known_by_its_content(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("x = 1\n")
    first = code_of(f"{file}:x")
    file.write_text("x = 2\n")
    assert first
    assert code_of(f"{file}:x") != first
    assert code_of("kuhn_poker") == code_of("json:loads") == ""


def test_our_games_load_when_they_are_asked_for():
    code = (
        "import sys, equipoise.games\n"
        "assert 'equipoise.games.kuhn_poker' not in sys.modules\n"
        "equipoise.games.make_game('kuhn_poker')\n"
        "assert 'equipoise.games.split' not in sys.modules\n"
        "print('kuhn_poker' in ' '.join(sys.modules))\n"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "True\n"


def test_an_unknown_kind_is_one_line():
    assert line_of("gmae", "kuhn_poker").endswith("Did you mean 'game'?")


CALLS = """
def three(a, b, c): return {}
def model(): return "nowhere"
def broken(): raise RuntimeError("no weights here")
def raises(state, legal): raise KeyError("oops")
"""


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, "three") for kind in ("opponent", "metric", "hazard", "credit_rule", "model")]
    + [(kind, "model") for kind in ("opponent", "metric", "hazard", "credit_rule")],
)
def test_a_function_that_cannot_be_called_as_the_kind_is_called_is_one_line(tmp_path, kind, name):
    """A model's function and a script's are told apart before anything is played."""
    file = tmp_path / "calls.py"
    file.write_text(CALLS)
    with pytest.raises(UserError, match=r"cannot be called with .* needed: "):
        find(kind, f"{file}:{name}")


def test_what_a_stranger_s_function_raises_is_one_line_that_names_it(tmp_path):
    file = tmp_path / "calls.py"
    file.write_text(CALLS)
    with pytest.raises(UserError, match=r"broken' failed: RuntimeError: no weights here \(calls.py, line 4\)"):
        find("model", f"{file}:broken")
    script = ScriptedPolicy(find("opponent", f"{file}:raises"))
    with pytest.raises(UserError, match=r"'raises' failed: KeyError: 'oops' \(calls.py, line 5\)"):
        rollout(make_game("kuhn_poker"), {"raises": script}, [Match(("raises", "raises"), 0)], seed=0)


def test_a_missing_attribute_and_a_missing_module_are_told_as_they_were_spelled(tmp_path):
    file = tmp_path / "calls.py"
    file.write_text(CALLS)
    with pytest.raises(UserError, match=r"calls.py has no 'nope'"):
        find("game", f"{file}:nope")
    with pytest.raises(UserError, match=r"No module named 'no_such_module'$"):
        find("game", "no_such_module:Mine")


RULES = """
def raises(batch, weights): raise KeyError("oops")
def nothing(batch, weights): return None
def short(batch, weights): return batch.own[:, :1]
def endless(batch, weights): return batch.own * float("inf")
def good(batch, weights): return batch.own
"""


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("raises", r"failed: KeyError: 'oops' \(rules.py, line 2\)"),
        ("nothing", r"shape \(\); needed: \(2, 3\)"),
        ("short", r"shape \(2, 1\); needed: \(2, 3\)"),
        ("endless", "not finite"),
    ],
)
def test_what_a_stranger_s_credit_rule_does_wrong_is_one_line(tmp_path, name, says):
    (tmp_path / "rules.py").write_text(RULES)
    batch = CreditBatch.of_self_play(np.ones((2, 3)), np.ones((2, 3)), np.ones((2, 3), dtype=bool), np.zeros(2, int))
    assert rule(f"{tmp_path}/rules.py:good").credits(batch, CreditWeights()).tolist() == batch.own.tolist()
    with pytest.raises(UserError, match=says):
        rule(f"{tmp_path}/rules.py:{name}").credits(batch, CreditWeights())
