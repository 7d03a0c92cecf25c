"""The wheel is complete: installed elsewhere, it plays, audits and passes tests without the checkout."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "equipoise"
pytestmark = pytest.mark.slow


def run(command, folder, **environment):
    ran = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy of the sources so that the checkout stays clean."""
    sources = tmp_path_factory.mktemp("sources")
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, sources)
    shutil.copytree(
        ROOT / "src", sources / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "*.partial")
    )
    shutil.copytree(ROOT / "research", sources / "research", ignore=shutil.ignore_patterns("__pycache__"))
    built = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", built, sources], sources)
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def site(wheel, tmp_path_factory):
    """A folder that holds the installed package alone."""
    folder = tmp_path_factory.mktemp("installed") / "site"
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", folder, wheel]
    run(command, folder.parent)
    return folder


@pytest.fixture
def elsewhere(site, tmp_path):
    """Runs Python outside the checkout with the installed package first on the path."""

    def python(*arguments):
        return run([sys.executable, *arguments], tmp_path, PYTHONPATH=str(site))

    return python


def test_the_wheel_holds_every_source_file_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if not name.split("/")[0].endswith(".dist-info")}
    sources = {
        str(path.relative_to(PACKAGE.parent))
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert held == sources
    assert any(name.startswith("equipoise/reports/templates/") for name in held)
    assert not any(name.startswith("research/") for name in held)
    assert "equipoise/models/embedded/model.safetensors" in held
    assert "equipoise/recipes/kuhn_poker/best_response.toml" in held


def test_the_wheel_tells_type_checkers_that_it_is_typed(wheel):
    with zipfile.ZipFile(wheel) as archive:
        assert "equipoise/py.typed" in archive.namelist()


def test_the_wheel_carries_its_licence_and_needs_four_packages_alone(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (archive.read(name).decode() for name in names if name.endswith(".dist-info/METADATA"))
    assert any(name.endswith("LICENSE") for name in names)
    needed = [line for line in metadata.splitlines() if line.startswith("Requires-Dist:") and "extra ==" not in line]
    assert sorted(re.match(r"[a-z-]+", line.split()[1]).group() for line in needed) == [
        "numpy",
        "pydantic",
        "rich",
        "scipy",
    ]
    assert "License-Expression: Apache-2.0" in metadata


def test_the_wheel_is_small_enough_to_ship(wheel):
    assert wheel.stat().st_size < 5_000_000


def test_the_installed_package_is_the_one_that_runs(elsewhere, site):
    code = "import equipoise, pathlib; print(pathlib.Path(equipoise.__file__).resolve())"
    assert Path(elsewhere("-c", code).strip()).is_relative_to(site.resolve())


def test_the_installed_command_line_lists_the_games(elsewhere):
    assert elsewhere("-m", "equipoise.cli.main", "games").startswith("kuhn_poker")
    assert "Rules as a model reads them" in elsewhere("-m", "equipoise.cli.main", "games", "kuhn_poker")


def test_the_installed_package_audits_and_renders_the_embedded_model(elsewhere, tmp_path):
    arguments = ("audit", "tiny", "--game", "kuhn_poker", "--deals", "5", "--out", "a", "--json")
    result = json.loads(elsewhere("-m", "equipoise.cli.main", *arguments))
    assert result["agents"][0]["estimates"]["nash_conv"]["value"] == pytest.approx(0.4990, abs=1e-3)
    assert "<svg" in (tmp_path / "a" / "report.html").read_text(encoding="utf-8")


def test_the_installed_package_trains_by_a_shipped_recipe(elsewhere, tmp_path):
    small = ("--set", "rl.steps=1", "--set", "play.rollouts=2", "--deals", "1")
    elsewhere("-m", "equipoise.cli.main", "train", "kuhn_poker/pool", *small, "--out", "r")
    assert (tmp_path / "r" / "model" / "model.safetensors").is_file()


def test_the_installed_package_passes_the_tests_of_its_metrics(elsewhere, tmp_path):
    shutil.copytree(ROOT / "tests" / "metrics", tmp_path / "metrics", ignore=shutil.ignore_patterns("__pycache__"))
    marks = ("-o", "markers=slow", "-m", "not slow")  # the checkout's settings are not there
    said = elsewhere("-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", *marks, "metrics")
    assert " passed" in said
    assert "failed" not in said
