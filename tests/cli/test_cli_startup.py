"""The command line answers at once: nothing heavy is imported before it is needed."""

import re
import subprocess
import sys

import pytest

from equipoise.cli.main import parser

HEAVY = ("torch", "transformers", "peft", "matplotlib", "jinja2")
QUICK = ["--help", "--version", "games", "games kuhn_poker", "games chess", *(f"{v} --help" for v in ("train", "demo"))]

_WATCHED = f"""
import sys
from equipoise.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print("loaded:", sorted(set(sys.modules) & set({HEAVY!r})))
"""


@pytest.mark.parametrize("arguments", QUICK)
def test_it_imports_nothing_heavy(arguments):
    ran = subprocess.run([sys.executable, "-c", _WATCHED, *arguments.split()], capture_output=True, text=True)
    assert ran.stdout.splitlines()[-1] == "loaded: []", ran.stderr


def test_the_help_names_every_command_and_fits_a_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = parser().format_help()
    (verbs,) = (action for action in parser()._actions if action.dest == "command")
    for name, verb in verbs.choices.items():
        assert re.search(rf"^    {name}\b", text, re.MULTILINE)
        text += verb.format_help()
    assert max(len(line) for line in text.splitlines()) <= 80


def test_every_command_and_option_says_what_it_does():
    (verbs,) = (action for action in parser()._actions if action.dest == "command")
    for name, verb in verbs.choices.items():
        for action in verb._actions:
            assert action.help, f"{name}: {action.dest}"


def test_the_examples_in_the_help_are_commands():
    for line in parser().epilog.splitlines()[1:]:
        command = re.split(r"\s{2,}", line.strip())[0]
        assert parser().parse_args(command.split()[1:]).run
