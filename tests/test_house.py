"""The house: which rooms the package has, and who may import whom.

Read from the source: imports under ``TYPE_CHECKING`` and inside functions count too.
"""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import hpo_vs_adapt

PACKAGE = Path(hpo_vs_adapt.__file__).parent

MAY_IMPORT: Mapping[str, str] = {
    "__init__": "run results study",
    "__main__": "cli",
    "cli": "run results report observers tables study plugins optim workloads records"
    " wording",
    "run": "results observers schedule tables plan study records",
    "results": "report tables study metrics",
    "report": "tables study records metrics wording",
    "observers": "tables plan study workloads records metrics wording partial_files",
    "schedule": "plan engines study plugins optim workloads records wording",
    "tables": "plan study plugins records metrics wording",
    "plan": "engines study plugins optim workloads records metrics wording seeds",
    "engines": "optim workloads records metrics wording seeds",
    "study": "plugins optim workloads records wording",
    "plugins": "optim workloads records metrics wording seeds",
    "optim": "records seeds partial_files",
    "workloads": "wording seeds",
    "records": "metrics wording partial_files",
    "metrics": "",
    "wording": "",
    "seeds": "",
    "partial_files": "",
}
"""Rooms and single modules of the package's root, from the top of the house down."""

DOORS = ("__init__", "__main__")
"""Ways into the package, which are no rooms of it."""

MOST_ROOMS = 18


def modules() -> dict[str, Path]:
    """Return the files of the package by their dotted names."""
    found = {}
    for file in PACKAGE.rglob("*.py"):
        parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = file
    return found


def imports_of(file: Path, known: Mapping[str, Path]) -> Iterator[str]:
    """Yield the modules of the package that a file names, wherever it does."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in known else node.module


def graph() -> dict[str, set[str]]:
    known = modules()
    return {name: set(imports_of(file, known)) - {name} for name, file in known.items()}


def room_of(name: str) -> str:
    return [*name.split("."), "__init__"][1]


def rings(arrows: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules that import each other, directly or by others."""
    reached: dict[str, set[str]] = {}
    for start in arrows:
        found: set[str] = set()
        waiting = [start]
        while waiting:
            new = arrows[waiting.pop()] - found
            found |= new
            waiting += new
        reached[start] = found
    groups = {
        frozenset(other for other in reached[name] if name in reached[other])
        for name in arrows
        if name in reached[name]
    }
    return sorted(sorted(group) for group in groups)


def test_no_module_imports_what_its_room_may_not():
    forbidden = [
        f"{name} may not import {other}: `{room_of(name)}` may import "
        f"{', '.join(MAY_IMPORT[room_of(name)].split()) or 'nothing of the package'}."
        for name, others in graph().items()
        for other in sorted(others)
        if room_of(other) not in (room_of(name), *MAY_IMPORT[room_of(name)].split())
    ]
    assert not forbidden, "\n".join(forbidden)


def test_the_table_has_every_room_and_reads_downwards():
    there = {room_of(name) for name in modules()}
    assert there == set(MAY_IMPORT)
    order = list(MAY_IMPORT)
    for room, allowed in MAY_IMPORT.items():
        for other in allowed.split():
            assert order.index(other) > order.index(room), f"{room} looks up to {other}"


def test_no_modules_import_each_other_in_a_ring():
    found = rings(graph())
    assert not found, "\n".join(" <-> ".join(ring) for ring in found)


def test_a_ring_is_found_wherever_its_imports_stand(tmp_path):
    one, two = tmp_path / "one.py", tmp_path / "two.py"
    one.write_text("def late():\n    from two import name\n")
    two.write_text("if TYPE_CHECKING:\n    import one\n")
    known = {"one": one, "two": two}
    arrows = {name: set(imports_of(file, known)) for name, file in known.items()}
    assert rings(arrows) == [["one", "two"]]


def test_the_root_holds_no_more_names_than_the_house_has_rooms():
    assert len(set(MAY_IMPORT) - set(DOORS)) <= MOST_ROOMS
