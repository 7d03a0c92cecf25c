"""The documents tell the truth about the repository: links, paths, commands, keys and examples are tried."""

import dataclasses
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

import equipoise
from equipoise.cli.main import main, parser
from equipoise.objectives.rules import rule_names
from equipoise.training.recipe import SHIPPED, Recipe, find_recipe, load_recipe

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "equipoise"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
EXAMPLES = sorted(ROOT.glob("examples/*.py"))
RECIPES = sorted(SHIPPED.glob("*/*.toml"))
TO_BE_MADE = ("matching_pennies",)
"""Names that a page asks its reader to make."""

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def text_of(document):
    return document.read_text(encoding="utf-8")


def prose_of(document):
    """The document without its code blocks."""
    return _FENCE.sub("", text_of(document))


def blocks_of(document, *languages):
    """The code blocks of a document in these languages."""
    return [code for language, code in _FENCE.findall(text_of(document)) if language in languages]


def inline_of(document):
    """What the prose sets in backticks."""
    return re.findall(r"`([^`\n]+)`", prose_of(document))


def command_lines(document):
    """The lines of the shell blocks, continued lines joined."""
    shell = "\n".join(blocks_of(document, "bash", "sh", "console", "shell", ""))
    return [line.removeprefix("$ ").strip() for line in shell.replace("\\\n", " ").splitlines()]


def name(path):
    return str(path.relative_to(ROOT))


def slug(heading):
    """The anchor that a heading gets."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=name)


@pytest.mark.parametrize("wanted", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"])
def test_the_documents_a_reader_expects_exist(wanted):
    assert len((ROOT / wanted).read_text(encoding="utf-8")) > 200


@every_document
def test_every_link_inside_the_repository_leads_somewhere(document):
    for target in re.findall(r"!?\[[^\]]*\]\(([^)\s]+)\)", prose_of(document)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = document.parent / path if path else document
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", prose_of(file), re.MULTILINE)
            assert anchor in {slug(heading) for heading in headings}, target


@every_document
def test_every_table_has_its_head(document):
    lines = prose_of(document).splitlines()
    for before, line, after in zip(["", *lines], lines, [*lines[1:], ""], strict=False):
        if line.startswith("|") and not before.startswith("|"):
            assert re.fullmatch(r"[|: -]+", after), line


@every_document
def test_every_path_in_backticks_exists(document):
    tops = {path.name for path in ROOT.iterdir() if path.is_dir()} - {"runs", "build", "dist"}
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir()}
    for word in inline_of(document):
        if not re.fullmatch(r"[\w.<>*-]+(/[\w.<>*-]*)+", word) or any(made in word for made in TO_BE_MADE):
            continue
        first = word.split("/")[0]
        base = ROOT if first in tops else PACKAGE if first in rooms else None
        if base is not None:
            assert list(base.glob(re.sub(r"<[^>]*>", "*", word.rstrip("/")))), word


@every_document
def test_every_command_line_in_a_code_block_parses(document):
    for line in command_lines(document):
        if line.startswith("equipoise"):
            words = shlex.split(line, comments=True)
            options = parser().parse_args(words[1:])
            if options.command == "train" and not (options.recipe or "").endswith(".toml"):
                chosen = [f"games={json.dumps(options.games)}"] if options.games else []
                load_recipe(find_recipe(options.recipe or "sepo/joint"), [*options.set, *chosen])


@every_document
def test_every_research_command_in_a_code_block_or_in_backticks_parses(document):
    for line in [*command_lines(document), *inline_of(document)]:
        if match := re.match(r"python -m (research\.\w+)", line):
            words = shlex.split(line, comments=True)
            import_module(match[1]).parser().parse_args(words[3:])


@every_document
def test_every_command_in_backticks_exists(document):
    (verbs,) = (action for action in parser()._actions if action.dest == "command")
    for word in inline_of(document):
        if match := re.fullmatch(r"equipoise(?: ([a-z][\w-]*))?(?: .*)?", word):
            assert match[1] is None or match[1] in verbs.choices, word


@every_document
def test_every_make_target_exists(document):
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for line in [*command_lines(document), *inline_of(document)]:
        if match := re.match(r"make ([\w-]+)", line):
            assert match[1] in targets, line


@every_document
def test_no_document_mentions_a_machine_or_is_unfinished(document):
    text = text_of(document)
    assert not re.search(r"/(?:work|home|root|tmp|mnt|Users)/\w", text)
    assert not re.search(r"^\W*(?:TABLE|TODO|TBD|FIXME|XXX)\b", text, re.MULTILINE)


@pytest.mark.parametrize("command", ["make demo", "make test"])
def test_the_readme_shows_the_two_commands(command):
    assert any(line.startswith(command) for line in command_lines(ROOT / "README.md"))


def test_the_readme_s_python_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = blocks_of(ROOT / "README.md", "python")
    assert blocks
    for code in blocks:
        exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    assert re.search(r"\d\.\d", capsys.readouterr().out)


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=name)
def test_every_example_runs(example, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        [sys.executable, str(example)], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip()


@pytest.mark.parametrize(("page", "example"), [("adding-a-game", "adding_a_game"), ("plugins", "plugins")])
def test_a_guide_is_made_of_its_example(page, example):
    page, example = ROOT / "docs" / f"{page}.md", (ROOT / "examples" / f"{example}.py").read_text()
    parts = [code for code in blocks_of(page, "python") if code.strip() in example]
    assert len(parts) >= 2
    joined = "".join(re.sub(r"\s+", "", part) for part in parts)
    assert joined == re.sub(r"\s+", "", example)


OWN = [line for page in ("adding-a-game", "plugins") for line in command_lines(ROOT / "docs" / f"{page}.md")]
OWN = [line for line in OWN if "examples/" in line and line.startswith("equipoise")]


@pytest.mark.slow
@pytest.mark.parametrize("line", OWN)
def test_a_command_on_code_of_one_s_own_runs(line, tmp_path, monkeypatch, capsys):
    few = {"audit": ["--deals", "2"], "crossplay": ["--matches", "2", "--out", str(tmp_path / "out")], "games": []}
    words = shlex.split(line)[1:]
    monkeypatch.chdir(ROOT)
    assert main([*words, *few[words[0]]]) == 0, capsys.readouterr().err


def test_the_page_on_what_is_stable_names_every_public_name_and_nothing_else():
    rows = [line.split("|")[1] for line in text_of(ROOT / "docs" / "api.md").splitlines() if line.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(named) == sorted(equipoise.__all__)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_recipe_s_first_line_is_the_command_that_runs_it(recipe):
    first = recipe.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# equipoise train ")
    options = parser().parse_args(shlex.split(first)[2:])
    assert find_recipe(options.recipe) == recipe
    assert options.out is not None


def test_the_page_on_recipes_names_every_shipped_recipe_and_credit_rule():
    words = set(inline_of(ROOT / "docs" / "recipes.md"))
    assert {f"{path.parent.name}/{path.stem}" for path in RECIPES} <= words
    assert set(rule_names()) <= words


def documented_keys():
    """Section -> key -> default, as the tables of docs/recipes.md give them."""
    keys, section = {}, ""
    for line in text_of(ROOT / "docs" / "recipes.md").splitlines():
        if match := re.match(r"`\[([\w.]+)\]`", line):
            section = match[1]
        elif match := re.match(r"\| `(\w+)` \| [^|]+ \| `([^`]*)` \|", line):
            keys.setdefault(section, {})[match[1]] = tomllib.loads(f"x = {match[2]}")["x"]
    return keys


def actual_keys():
    """Section -> key -> default, as the dataclasses give them."""
    return sections("", Recipe())


def sections(name, settings):
    """The keys of a dataclass under its name, and those of the dataclasses in it under theirs."""
    keys = {name: {}}
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if dataclasses.is_dataclass(value):
            keys |= sections(f"{name}.{field.name}".strip("."), value)
        else:
            keys[name][field.name] = as_toml(value)
    return keys


def as_toml(value):
    """A default as TOML gives it back: it has lists, no tuples."""
    return list(value) if isinstance(value, tuple) else value


def test_the_page_on_recipes_names_every_key_with_its_default():
    assert documented_keys() == actual_keys()
