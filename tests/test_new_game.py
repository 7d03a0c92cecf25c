"""The package that `equipoise new game` writes, installed and used by the command line with no line of ours changed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[1] / "src"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """Runs Python in a folder of its own, with the installed package on the path."""
    work = tmp_path_factory.mktemp("new_game")
    site = work / "site"

    def run(*arguments):
        path = os.pathsep.join(map(str, (SOURCES, site)))
        environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        words = [sys.executable, *map(str, arguments)]
        return subprocess.run(words, cwd=work, env=environment, capture_output=True, text=True, timeout=300)

    made = run("-m", "equipoise.cli.main", "new", "game", "hold_or_raise")
    assert made.returncode == 0, made.stderr
    written = {path.name for path in (work / "hold_or_raise").iterdir()}
    assert written == {"README.md", "pyproject.toml", "hold_or_raise.py", "test_hold_or_raise.py"}
    pip = ["-m", "pip", "install", "--no-deps", "--no-index", "--no-build-isolation", "--target", site]
    installed = run(*pip, work / "hold_or_raise")
    assert installed.returncode == 0, installed.stderr
    return run


@pytest.mark.parametrize(
    "words",
    [
        ("games",),
        ("games", "hold_or_raise"),
        ("audit", "tiny", "--game", "hold_or_raise", "--deals", "5", "--out", "audited"),
        ("crossplay", "uniform", "hold_or_raise_timid", "tiny", "--game", "hold_or_raise", "--matches", "4"),
    ],
    ids=lambda words: words[0],
)
def test_the_commands_know_the_installed_game(command, words):
    ran = command("-m", "equipoise.cli.main", *words)
    assert ran.returncode == 0, ran.stderr
    assert "hold_or_raise" in ran.stdout


def test_its_own_tests_pass(command):
    ran = command("-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "hold_or_raise")
    assert ran.returncode == 0, ran.stdout


def test_it_is_trained_on_by_its_name(command):
    small = ("rl.steps=1", "self_play.deals=2", "self_play.rollouts=2", "game_parameters={}", "game=hold_or_raise")
    sets = [word for text in small for word in ("--set", text)]
    recipe = ("train", "alignment/prisoners_dilemma", *sets, "--set", "demonstrations={}")
    ran = command("-m", "equipoise.cli.main", *recipe, "--deals", "2", "--out", "run")
    assert ran.returncode == 0, ran.stderr
    assert "hold_or_raise" in ran.stdout
