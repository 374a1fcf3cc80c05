"""Where Python modules lie and what they import, found without running anything."""

from __future__ import annotations

import ast
import sysconfig
import tokenize
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias, TypeGuard

__all__ = [
    "Locate",
    "Source",
    "closure",
    "first_names",
    "for_types_only",
    "importable",
    "installed",
    "plainly_imported",
    "read_source",
    "source_in",
]

PACKAGE = __name__.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Source:
    """A Python module as text.

    Args:
        name: Dotted name; of a file named by its path, as seen from its own folder.
        path: File, or folder of a package without ``__init__.py``.
        text: What is in the file; empty for such a folder.
        package: Whether modules can lie under it.
    """

    name: str
    path: str
    text: str
    package: bool = False


Locate: TypeAlias = Callable[[str], Source | None]
"""From a dotted name to a module that counts as one's own code, or None."""


def source_in(folders: Iterable[str | Path], name: str) -> Source | None:
    """Return the module that a dotted name means in `folders`, as Python finds it."""
    paths = [Path(folder) for folder in folders]
    *parents, last = name.split(".")
    for parent in parents:
        paths = [path / parent for path in paths if (path / parent).is_dir()]
    for path in paths:
        for file in (path / last / "__init__.py", path / f"{last}.py"):
            if file.is_file():
                return Source(
                    name, str(file), read_source(file), file.name == "__init__.py"
                )
    for path in paths:
        if next((path / last).glob("**/*.py"), None):
            return Source(name, str(path / last), "", package=True)
    return None


def importable(name: str, top: str = PACKAGE) -> Source | None:
    """Return the module of one's own that a dotted name means on Python's path.

    One's own is what lies outside the folders of installed packages; `hpo_vs_adapt` and
    the package `top` count wherever they lie. Nothing is imported. Compiled extensions
    are not followed.
    """
    first, _, rest = name.partition(".")
    try:
        spec = find_spec(first)
    except (ImportError, ValueError):  # ValueError: a module without a spec, __main__
        return None
    if spec is None:
        return None
    folders = list(spec.submodule_search_locations or ())
    file = spec.origin if spec.has_location else None
    place = file or (folders[0] if folders else None)
    if place is None or (first not in (PACKAGE, top) and installed(Path(place))):
        return None
    if rest:
        found = source_in(folders, rest)
        return found and Source(name, found.path, found.text, found.package)
    if file is None:
        return Source(name, place, "", package=True)
    if not file.endswith(".py"):
        return None
    return Source(name, file, read_source(Path(file)), bool(folders))


def installed(path: Path) -> bool:
    """Return whether a file belongs to Python itself or to an installed package."""
    if {"site-packages", "dist-packages"} & set(path.parts):
        return True
    return any(path.is_relative_to(folder) for folder in _library_folders())


def closure(root: Source, locate: Locate) -> tuple[Source, ...]:
    """Return a module and all of one's own that it imports, and so on, sorted by name.

    A name that a package's ``__init__`` only hands on counts for the module it comes
    from, not for the package: importing one rule from a package of many does not depend
    on the others. Imports under ``TYPE_CHECKING`` are left out.
    """
    found = {root.path: root}
    waiting = [root]
    while waiting:
        for source in _dependencies(waiting.pop(), locate):
            if source.path not in found:
                found[source.path] = source
                waiting.append(source)
    return tuple(sorted(found.values(), key=lambda source: source.name))


def plainly_imported(sources: Iterable[Source]) -> set[str]:
    """Return the top-level names that modules import other than relatively."""
    statements = (s for source in sources for s in _imports(source.text))
    return {s.module.partition(".")[0] for s in statements if s.level == 0}


def first_names(source: Source) -> set[str]:
    """Return the top-level names that a module imports, whether modules or not."""
    found: set[str] = set()
    for statement in _imports(source.text):
        target = statement.target(source)
        if target == "":  # from . import x, beside the file
            found.update(name for name, _ in statement.names)
        elif target is not None:
            found.add(target.partition(".")[0])
    return found


@dataclass(frozen=True, slots=True)
class _Import:
    """One import statement: ``from`` (level dots) `module` ``import`` names."""

    level: int
    module: str
    names: tuple[tuple[str, str], ...] = ()  # (name there, name here)

    def target(self, importer: Source) -> str | None:
        """Return the absolute name of `module`, or None if it lies above everything."""
        if self.level == 0:
            return self.module
        parts = importer.name.split(".")
        dropped = self.level - importer.package
        if dropped > len(parts):
            return None
        stem = parts[: len(parts) - dropped]
        return ".".join([*stem, self.module] if self.module else stem)


def _dependencies(source: Source, locate: Locate) -> Iterator[Source]:
    for statement in _imports(source.text):
        module = statement.target(source)
        if module is None:
            continue
        if statement.names:
            origins = [_origin(module, name, locate) for name, _ in statement.names]
        else:
            origins = [locate(module)]
        yield from (origin for origin in origins if origin is not None)


def _origin(
    module: str,
    name: str,
    locate: Locate,
    seen: frozenset[tuple[str, str]] = frozenset(),
) -> Source | None:
    """Return where ``from module import name`` ends, re-exports followed."""
    if name != "*" and (found := locate(f"{module}.{name}" if module else name)):
        return found
    holder = locate(module) if module else None
    if holder is None or not holder.package or (module, name) in seen:
        return holder
    for statement in reversed(_imports(holder.text)):
        for there, here in statement.names:
            target = statement.target(holder)
            if here == name and target is not None and there != "*":
                return _origin(target, there, locate, seen | {(module, name)})
    return holder


@lru_cache(maxsize=1024)
def _imports(text: str) -> tuple[_Import, ...]:
    try:
        return tuple(_walk(ast.parse(text)))
    except SyntaxError:  # running it says where
        return ()


def _walk(node: ast.AST) -> Iterator[_Import]:
    if isinstance(node, ast.Import):
        yield from (_Import(0, alias.name) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        names = tuple((alias.name, alias.asname or alias.name) for alias in node.names)
        yield _Import(node.level, node.module or "", names)
    else:
        children: Sequence[ast.AST] = list(ast.iter_child_nodes(node))
        if for_types_only(node):
            children = node.orelse
        for child in children:
            yield from _walk(child)


def for_types_only(node: object) -> TypeGuard[ast.If]:
    """Return whether a statement is ``if TYPE_CHECKING:``, whose body never runs."""
    if not isinstance(node, ast.If):
        return False
    test = node.test
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", None)
    return name == "TYPE_CHECKING"


@lru_cache(maxsize=1)
def _library_folders() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return tuple(paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib"))


def read_source(path: Path) -> str:
    """Return the text of a Python file."""
    with tokenize.open(path) as file:  # honours a coding line, as Python does
        return file.read()
