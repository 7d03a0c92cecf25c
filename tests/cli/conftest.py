"""Runs commands in this process, in an empty working directory, and tells what they printed."""

from typing import NamedTuple

import pytest

from equipoise.cli.main import main


class Ran(NamedTuple):
    """What a command left behind: its exit code and the two streams."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def workplace(tmp_path_factory):
    """The folder that `small_run` and `small_audit` lie in."""
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    import torch

    torch.set_num_threads(1)
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs one command as the console script would, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments):
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return Ran(code, *capsys.readouterr())

    return command


@pytest.fixture
def mistake(run):
    """Runs a command that must refuse in one line; returns that line without its prefix."""

    def command(*arguments):
        ran = run(*arguments)
        assert ran.code == 2
        assert ran.out == ""
        lines = ran.err.splitlines()
        assert len(lines) == 1, ran.err
        assert lines[0].startswith("equipoise: error: ")
        return lines[0].removeprefix("equipoise: error: ")

    return command


@pytest.fixture(scope="session")
def small():
    """Options that make a training run one of a second or two."""
    return ["--set", "rl.steps=2", "--set", "play.rollouts=4", "--deals", "5"]


@pytest.fixture(scope="session")
def small_run(workplace, small):
    """A finished training run, shared: tests must not change it."""
    folder = workplace / "run"
    assert main(["train", "kuhn_poker", *small, "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="session")
def small_audit(workplace):
    """A finished audit of the embedded model, shared: tests must not change it."""
    folder = workplace / "audit"
    assert main(["audit", "tiny", "--game", "kuhn_poker", "--deals", "5", "--out", str(folder)]) == 0
    return folder
