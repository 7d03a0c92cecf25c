"""Installed packages for the tests, as pip leaves them: a module and a dist-info folder with entry points."""

import importlib
import textwrap

GAME = """
    from equipoise.games.kuhn_poker import KuhnPoker

    class Mine(KuhnPoker):
        name = "{name}"
"""


def install(folder, package, source, **groups):
    """Puts a package with one module of its name into `folder`.

    Args:
        folder: Where packages are looked for.
        package: Its name and its module's.
        source: The module's code.
        groups: Entry points by the last part of their group, as {name: attribute or module:attribute}.
    """
    (folder / f"{package}.py").write_text(textwrap.dedent(source))
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = []
    for group, points in groups.items():
        lines.append(f"[equipoise.{group}]")
        lines += [f"{name} = {to if ':' in to else f'{package}:{to}'}" for name, to in points.items()]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    importlib.invalidate_caches()
