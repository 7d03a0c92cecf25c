"""The house rules, read from the source: who imports whom, what a public name owes its reader, what is never used."""

import ast
import re
import subprocess
import sys
from functools import lru_cache
from importlib import import_module
from pathlib import Path

import pytest

import equipoise

ROOT = Path(equipoise.__file__).parent
CHECKOUT = Path(__file__).parents[1]
ORDER = {
    "errors": -2,
    "process": -2,
    "files": -1,
    "seeds": -1,
    "core": 0,
    "registry": 0,
    "engines": 1,
    "games": 1,
    "policies": 2,
    "arena": 3,
    "metrics": 4,
    "objectives": 4,
    "models": 5,
    "training": 6,
    "lab": 7,
    "testing": 7,
    "reports": 8,
    "cli": 9,
}
"""Floors of the house: a module imports from its own package and from lower floors."""

LIGHT = ("equipoise", *(f"equipoise.{name}" for name in ("core", "games", "arena", "metrics", "objectives")))
OPTIONAL = {
    "peft": ("models/", "training/"),
    "torch": ("engines/", "policies/", "models/", "training/"),
    "transformers": ("engines/", "policies/", "models/", "training/", "cli/"),
    "tinker": ("engines/",),
    "matplotlib": ("reports/",),
    "jinja2": ("reports/",),
    "vllm": ("engines/",),
}
"""Packages that need an extra, and the only places that may import them."""

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)
FILES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py"))
SCRIPTS = sorted(path.relative_to(CHECKOUT).as_posix() for path in (CHECKOUT / "research").rglob("*.py"))
"""The research scripts, outside the package; what is asked of its text is asked of theirs."""
EVERYTHING = FILES + SCRIPTS


def text_of(name):
    """The text of a file of the package, or of a research script."""
    return ((CHECKOUT if name in SCRIPTS else ROOT) / name).read_text(encoding="utf-8")


@lru_cache
def tree(name):
    return ast.parse(text_of(name))


def room(name):
    return name.split("/")[0].removesuffix(".py")


def imports(name):
    """Every (module, line) a file imports, at any depth of nesting."""
    found = []
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}:{node.lineno} imports relatively; write the whole path"
            found.append((str(node.module), node.lineno))
            if node.module == "equipoise":
                found += [(f"equipoise.{alias.name}", node.lineno) for alias in node.names]
    return found


def lines(name, pattern):
    """Where a pattern stands in a file, as file:line."""
    return [f"{name}:{number}" for number, line in enumerate(text_of(name).splitlines(), 1) if re.search(pattern, line)]


def test_there_is_a_source_to_check():
    assert len(FILES) > 40
    assert len(SCRIPTS) > 5
    assert {room(name) for name in FILES} - {"__init__", "__main__", "recipes"} == set(ORDER)


def test_imports_only_point_up_the_list():
    wrong = []
    for name in FILES:
        if name in ("__init__.py", "__main__.py"):  # one names the public interface, the other is the command
            continue
        floor = ORDER.get(room(name))
        for module, line in imports(name):
            parts = module.split(".")
            if parts[0] == "equipoise" and len(parts) > 1 and parts[1] != "__version__":
                target = parts[1]
                if floor is None or not (target == room(name) or ORDER[target] < floor):
                    wrong.append(f"{name}:{line} imports {module}")
    assert not wrong


def test_the_package_knows_nothing_of_the_research_scripts():
    assert not [name for name in FILES for module, _ in imports(name) if module.split(".")[0] == "research"]


def test_the_research_scripts_draw_no_pages():
    assert not [name for name in SCRIPTS for module, _ in imports(name) if module.startswith("equipoise.reports")]


@pytest.mark.parametrize("package", OPTIONAL)
def test_an_optional_package_is_imported_where_it_belongs(package):
    users = {name for name in FILES for module, _ in imports(name) if module.split(".")[0] == package}
    assert users, f"nothing imports {package} any more"
    assert not [name for name in users if not name.startswith(OPTIONAL[package])]


def test_the_light_modules_load_numpy_and_nothing_else():
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"
        f"import {', '.join(LIGHT)}\n"
        "loaded = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "print(*sorted(loaded - sys.stdlib_module_names))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["equipoise", "numpy"]


def public(name):
    """Public definitions of a file, overloads aside: (qualified name, node, class it is in or None)."""
    found = []
    if any(part.startswith("_") and part != "__init__.py" for part in name.split("/")):
        return found
    for node in tree(name).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            if "overload" in map(ast.unparse, node.decorator_list):
                continue
            found.append((node.name, node, None))
            if isinstance(node, ast.ClassDef):
                methods = [m for m in node.body if isinstance(m, ast.FunctionDef) and not m.name.startswith("_")]
                found += [(f"{node.name}.{m.name}", m, node) for m in methods]
    return found


PLAIN = ("ABC", "Protocol", "Exception", "NamedTuple", "ValueError")
"""Library bases that describe none of our methods."""


@lru_cache
def described():
    """Method names that a class of ours documents, by class name."""
    classes = [node for name in EVERYTHING for node in ast.walk(tree(name)) if isinstance(node, ast.ClassDef)]
    return {
        node.name: {m.name for m in node.body if isinstance(m, ast.FunctionDef) and ast.get_docstring(m)}
        for node in classes
    }


@lru_cache
def bases_of():
    """Names of the bases of a class of ours, by class name."""
    classes = [node for name in EVERYTHING for node in ast.walk(tree(name)) if isinstance(node, ast.ClassDef)]
    return {node.name: [ast.unparse(base).split("[")[0] for base in node.bases] for node in classes}


def ancestors(name):
    """Every base of a class, and their bases."""
    return [found for base in bases_of().get(name, ()) for found in (base, *ancestors(base))]


def inherits_a_description(name, owner, method):
    """Whether a method takes its docstring from a base, from a protocol beside it, or from a library's base class."""
    bases = ancestors(owner.name)
    if any(base not in described() for base in bases if base not in PLAIN):
        return True
    if any(method in described().get(base, ()) for base in bases):
        return True
    beside = [node for other in EVERYTHING if Path(other).parent == Path(name).parent for node in tree(other).body]
    protocols = [n.name for n in beside if isinstance(n, ast.ClassDef) and "Protocol" in map(ast.unparse, n.bases)]
    return any(method in described()[protocol] for protocol in protocols)


def test_every_module_and_public_name_has_a_docstring():
    written = [name for name in EVERYTHING if text_of(name).strip()]
    missing = [name for name in written if not ast.get_docstring(tree(name))]
    for name in written:
        for qualified, node, owner in public(name):
            inherited = owner is not None and inherits_a_description(name, owner, node.name)
            if not ast.get_docstring(node) and not inherited:
                missing.append(f"{name}: {qualified}")
    assert not missing


def test_every_function_is_fully_annotated():
    bare = []
    for name in EVERYTHING:
        for node in ast.walk(tree(name)):
            if isinstance(node, ast.FunctionDef):
                given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                given += [a for a in (node.args.vararg, node.args.kwarg) if a]
                loose = [a.arg for a in given if a.annotation is None and a.arg not in ("self", "cls")]
                if loose or node.returns is None:
                    bare.append(f"{name}:{node.lineno} {node.name} {loose}")
    assert not bare


def test_what_all_lists_exists_and_is_public():
    for name in FILES:
        for node in tree(name).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                listed = ast.literal_eval(node.value)
                path = f"equipoise/{name}".removesuffix(".py").removesuffix("/__init__")
                module = import_module(path.replace("/", "."))
                assert sorted(set(listed)) == sorted(listed)
                assert all(hasattr(module, item) and not item.startswith("_") for item in listed)


def test_nothing_draws_from_a_global_random_state():
    allowed = ("default_rng", "Generator", "SeedSequence", "BitGenerator", "Philox", "PCG64")
    wrong = []
    for name in EVERYTHING:
        wrong += [f"{name}:{line} imports {module}" for module, line in imports(name) if module == "random"]
        for node in ast.walk(tree(name)):
            drawn = isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("np.random", "numpy.random")
            if drawn and node.attr not in allowed:
                wrong.append(f"{name}:{node.lineno} uses np.random.{node.attr}")
    assert not wrong


def test_only_text_decides_who_is_you():
    words = re.compile(r"\b(you|your|yours|yourself)\b", re.IGNORECASE)
    wrong = []
    for name in FILES:
        if re.fullmatch(r"games/\w+/(?!reasons\.py|messages\.py)\w+\.py", name):  # those the player itself speaks
            docs = {ast.get_docstring(n, clean=False) for n in ast.walk(tree(name)) if isinstance(n, _DOCUMENTED)}
            texts = [n for n in ast.walk(tree(name)) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
            wrong += [f"{name}:{n.lineno} {n.value!r}" for n in texts if n.value not in docs and words.search(n.value)]
    assert not wrong


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?<![\w.])eval\(",
        r"(?<![\w.])exec\(",
        r"\bpickle\b",
        r"trust_remote_code\s*=\s*True",
        r"weights_only\s*=\s*False",
        r"\b(TODO|FIXME|XXX)\b",
        r"except\s*:",
    ],
)
def test_no_source_line_holds(pattern):
    assert not [where for name in EVERYTHING for where in lines(name, pattern)]


def test_no_module_is_longer_than_400_lines():
    assert not [name for name in EVERYTHING if len(text_of(name).splitlines()) > 400]


def test_no_room_is_called_utils():
    assert not [name for name in EVERYTHING if re.search(r"util|helper|manager|misc", name)]
