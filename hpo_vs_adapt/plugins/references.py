"""From what a study names to the object it means.

A reference is a name that the project knows (``digits_mlp``), ``package.module:Name``
or ``path/to/file.py:Name``. A path is relative to the study's folder, then to the
current one. `shipment` says what a file may import from beside it.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hpo_vs_adapt.plugins.problem import Calling, ReferenceProblem
from hpo_vs_adapt.plugins.shipment import Shipment, pack_file
from hpo_vs_adapt.plugins.sources import importable
from hpo_vs_adapt.wording import nearest

if TYPE_CHECKING:
    from hpo_vs_adapt.optim.base import Rule
    from hpo_vs_adapt.workloads.base import Workload

__all__ = [
    "ReferenceProblem",
    "Shipment",
    "as_rule",
    "find_rule",
    "find_workload",
    "load_object",
    "package_root",
    "portable",
    "ship",
]


_LONGEST = 200  # characters of a module's name; file systems take 255 bytes


def load_object(reference: str, base: Path = Path()) -> object:
    """Return what ``package.module:Name`` or ``path/to/file.py:Name`` means.

    Args:
        reference: The module or file, a colon, and a name in it.
        base: Folder that a path is relative to; then the current folder is tried. Both
            are also where a package is looked for that is not on Python's path.

    Raises:
        ReferenceProblem: If it leads nowhere; the sentence says why.
    """
    return ship(reference, base).load()


def ship(reference: str, base: Path = Path()) -> Shipment:
    """Return what a worker needs to load the same object.

    A package is not in it: `package_root` is the folder to send along.

    Raises:
        ReferenceProblem: If there is no such file or module.
    """
    place, name = _parts(reference)
    if not name.isidentifier():
        raise ReferenceProblem(
            f"`{reference}` must be `package.module:Name` or `path/to/file.py:Name`."
        )
    if _is_file(place):
        return pack_file(reference, _find_file(reference, place, base))
    _find_module(reference, place, base)
    return Shipment(reference)


def find_workload(reference: str, base: Path = Path()) -> Workload:
    """Return a workload by its name or reference.

    Raises:
        ReferenceProblem: If there is none, or it is not a workload that can be trained.
    """
    # Here, since torch takes seconds to import and plug-ins may load references.
    from hpo_vs_adapt.workloads import WORKLOADS, check_workload

    if reference in WORKLOADS:
        return WORKLOADS[reference]()
    found = _load_unknown(reference, base, "workload", list(WORKLOADS))
    try:
        made = check_workload(found)
    except ValueError as problem:
        raise ReferenceProblem(f"`{reference}`: {problem}") from problem
    with Calling(reference, "making it"):
        return made()


def find_rule(reference: str, base: Path = Path()) -> type[Rule]:
    """Return an update rule by its name or reference.

    Raises:
        ReferenceProblem: If there is none, or it is not a rule that can be built.
    """
    from hpo_vs_adapt.optim import RULES
    from hpo_vs_adapt.optim.base import Rule

    if reference in RULES:
        return RULES[reference]
    found = as_rule(_load_unknown(reference, base, "rule", list(RULES)))
    if not (inspect.isclass(found) and issubclass(found, Rule)):
        raise ReferenceProblem(
            f"`{reference}` must be a subclass of hpo_vs_adapt.optim.base.Rule or of "
            f"torch.optim.Optimizer; got {found!r}."
        )
    missing = sorted(found.__abstractmethods__)
    stated = ("settings", "adapts", "reference")
    missing += [name for name in stated if not hasattr(found, name)]
    if missing:
        names = ", ".join(f"`{name}`" for name in missing)
        raise ReferenceProblem(f"`{reference}`: {found.__name__} must define {names}.")
    return found


def as_rule(found: object) -> object:
    """Return the rule that hosts an optimizer of torch's kind; all else as it is."""
    from torch.optim import Optimizer

    if inspect.isclass(found) and issubclass(found, Optimizer):
        from hpo_vs_adapt.optim.signatures import external_rule

        return external_rule(found)  # type: ignore[arg-type]  # classes are hashable
    return found


def portable(reference: str) -> str:
    """Return a reference without what differs between machines, a file's folder."""
    place, name = _parts(reference)
    return f"{Path(place).name}:{name}" if _is_file(place) else reference


def package_root(reference: str, base: Path = Path()) -> Path | None:
    """Return the folder (or single file) of one's own package that a reference needs.

    None for names, for files, which a `Shipment` carries, and for installed packages.

    Raises:
        ReferenceProblem: If there is no such module.
    """
    place, name = _parts(reference)
    if not name or _is_file(place):
        return None
    _find_module(reference, place, base)
    top = importable(place.partition(".")[0], top="")
    if top is None:
        return None
    path = Path(top.path)
    return path.parent if path.name == "__init__.py" else path


def _parts(reference: str) -> tuple[str, str]:
    """Return what stands before and behind the last colon, "" if there is none."""
    place, colon, name = reference.rpartition(":")
    return (place, name) if colon else (reference, "")


def _is_file(place: str) -> bool:
    return place.endswith(".py")


def _load_unknown(reference: str, base: Path, kind: str, known: list[str]) -> object:
    if ":" not in reference:
        raise ReferenceProblem(
            f"Unknown {kind} `{reference}`; {nearest(reference, known)} One of your "
            "own is given as `package.module:Name` or `path/to/file.py:Name`."
        )
    return load_object(reference, base)


def _find_file(reference: str, place: str, base: Path) -> Path:
    try:
        folders = (base.resolve(), Path().resolve())
        tried = list(dict.fromkeys((folder / place).resolve() for folder in folders))
        for file in tried:
            if file.is_file():
                return file
    except (
        OSError,
        ValueError,
        RuntimeError,
    ) as error:  # RuntimeError: links in a ring
        reason = getattr(error, "strerror", None) or str(error)
        raise ReferenceProblem(f"`{reference}`: {place}: {reason}.") from error
    where = " or ".join(str(file) for file in tried)
    raise ReferenceProblem(f"`{reference}`: there is no file {where}.")


def _find_module(reference: str, place: str, base: Path) -> None:
    """See that a module can be found, without importing it.

    Raises:
        ReferenceProblem: If it cannot.
    """
    parts = place.split(".")
    if not all(part.isidentifier() for part in parts):
        raise ReferenceProblem(
            f"`{reference}`: {place!r} is neither a module (`package.module`) nor a "
            "Python file (`path/to/file.py`)."
        )
    if len(parts[0]) > _LONGEST:
        raise ReferenceProblem(f"`{reference}`: its name is too long for a module.")
    if _spec(parts[0]) is not None:
        return
    for folder in (base.resolve(), Path.cwd()):
        if (folder / parts[0]).is_dir() or (folder / f"{parts[0]}.py").is_file():
            sys.path.append(str(folder))  # behind all others: it hides nothing
            importlib.invalidate_caches()
            return
    raise ReferenceProblem(
        f"`{reference}`: there is no module `{parts[0]}`. It must be installed, or lie "
        f"in {base.resolve()} or in the current folder."
    )


def _spec(name: str) -> object:
    try:
        return importlib.util.find_spec(name)
    except ValueError:  # already imported, without a spec: __main__
        return sys.modules[name]
