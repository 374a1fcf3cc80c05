"""A class of one's own, packed so that a worker on another machine can load it.

A file given by its path, and the files beside it that it imports, are read once; what
is run, hashed and sent is that text. Its module gets a name that no other file has, so
two files of one name do not meet. Files beside it are imported by their plain name
(``import helpers``) or relatively (``from .helpers import depth``); they are found by
the import statements, wherever these stand, so a name put together at run time is not.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.abc
import importlib.util
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from typing_extensions import override

from hpo_vs_adapt.plugins.problem import Calling, ReferenceProblem
from hpo_vs_adapt.plugins.sources import (
    Source,
    first_names,
    importable,
    plainly_imported,
    read_source,
    source_in,
)
from hpo_vs_adapt.wording import did_you_mean

__all__ = ["Shipment", "carried_by", "pack_file"]


@dataclass(frozen=True, slots=True)
class Shipment:
    """What a worker needs to load the object that a reference means.

    Args:
        reference: As the study has it.
        filename: File it was read from, for tracebacks; None for a module of a package,
            which the worker imports.
        text: What was in the file.
        siblings: Modules beside the file that it imports, and all files of packages
            among them; names as seen from the file's folder.
    """

    reference: str
    filename: str | None = None
    text: str | None = None
    siblings: tuple[Source, ...] = ()

    @property
    def package(self) -> str:
        """Name under which the file's folder is imported, by what is in it."""
        label = repr((self.filename, self.text, self.siblings))
        digest = hashlib.blake2b(label.encode(), digest_size=8).hexdigest()
        return f"hpo_vs_adapt_file_{digest}"

    @property
    def root(self) -> Source:
        """The file itself, named as its siblings see it."""
        assert self.filename is not None
        assert self.text is not None
        return Source(_module_name(Path(self.filename)), self.filename, self.text)

    def locate(self, name: str) -> Source | None:
        """Return a module by the name that the file knows it by."""
        beside = {source.name: source for source in (self.root, *self.siblings)}
        return beside.get(name) or importable(name)

    def load(self) -> object:
        """Return the object.

        Raises:
            ReferenceProblem: If the module cannot be run or has no such name.
        """
        place, _, name = self.reference.rpartition(":")
        with Calling(self.reference, "importing it"):
            if self.filename is None:
                module = importlib.import_module(place)
            else:
                _serve(self)
                module = importlib.import_module(f"{self.package}.{self.root.name}")
        if hasattr(module, name):
            return getattr(module, name)
        known = [other for other in vars(module) if not other.startswith("_")]
        hint = did_you_mean(name, known)
        raise ReferenceProblem(f"`{self.reference}`: {place} has no `{name}`{hint}")


def pack_file(reference: str, file: Path) -> Shipment:
    """Return the shipment of an object in a file.

    Args:
        reference: ``path/to/file.py:Name``.
        file: The file, an absolute path.

    Raises:
        ReferenceProblem: If the file, or one that it imports, cannot be read or parsed.
    """
    with Calling(reference, "importing it"):
        root = Source(_module_name(file), str(file), read_source(file))
        siblings = _reached(file.parent, root)
    return Shipment(reference, str(file), root.text, siblings)


def carried_by(module: ModuleType) -> Shipment | None:
    """Return the shipment that a module was loaded from, or None."""
    loader = module.__spec__.loader if module.__spec__ else None
    return loader.shipment if isinstance(loader, _Loader) else None


class _Loader(importlib.abc.ExecutionLoader):
    """Runs one module of a shipment."""

    def __init__(self, source: Source, shipment: Shipment) -> None:
        self.source = source
        self.shipment = shipment

    @override
    def get_source(self, fullname: str) -> str:
        return self.source.text

    @override
    def get_filename(self, fullname: str) -> str:
        return self.source.path

    @override
    def is_package(self, fullname: str) -> bool:
        return self.source.package


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the modules of one shipment."""

    def __init__(self, shipment: Shipment) -> None:
        self.shipment = shipment
        folder = str(Path(shipment.root.path).parent)
        self.sources = {shipment.package: Source("", folder, "", package=True)}
        for source in (shipment.root, *shipment.siblings):
            self.sources[f"{shipment.package}.{source.name}"] = source
        self.sources.update((source.name, source) for source in _plain(shipment))

    @override
    def find_spec(
        self, fullname: str, path: object, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        source = self.sources.get(fullname)
        if source is None:
            return None
        return importlib.util.spec_from_file_location(
            fullname,
            source.path,
            loader=_Loader(source, self.shipment),
            submodule_search_locations=[] if source.package else None,
        )


def _serve(shipment: Shipment) -> None:
    """Let Python find the modules of a shipment, siblings by their plain names too."""
    if any(isinstance(f, _Finder) and f.shipment == shipment for f in sys.meta_path):
        return
    plain = _plain(shipment)
    tops = {source.name for source in plain if "." not in source.name}
    for source in plain:
        if source.name in tops:
            _check_plain_name(source, shipment.reference)
    if any(_edited(source) for source in plain):
        for name in [n for n in sys.modules if n.partition(".")[0] in tops]:
            del sys.modules[name]
    sys.meta_path.insert(0, _Finder(shipment))


def _plain(shipment: Shipment) -> list[Source]:
    """Return the siblings that are imported other than relatively."""
    wanted = plainly_imported((shipment.root, *shipment.siblings))
    return [s for s in shipment.siblings if s.name.partition(".")[0] in wanted]


def _check_plain_name(source: Source, reference: str) -> None:
    """See to it that a sibling's plain name can only mean the sibling.

    Raises:
        ReferenceProblem: If another file has the name.
    """
    module = sys.modules.get(source.name)
    spec = module.__spec__ if module else importlib.util.find_spec(source.name)
    if spec is None:
        return
    place = spec.origin or next(iter(spec.submodule_search_locations or ()), "?")
    if Path(place) != Path(source.path):
        raise ReferenceProblem(
            f"`{reference}`: it imports {source.path}, but `{source.name}` is also "
            f"{place}; rename one of them."
        )


def _edited(source: Source) -> bool:
    """Return whether a sibling was loaded from another state of its file."""
    module = sys.modules.get(source.name)
    loader = module.__spec__.loader if module and module.__spec__ else None
    return isinstance(loader, _Loader) and loader.source.text != source.text


def _module_name(file: Path) -> str:
    return re.sub(r"\W", "_", file.stem)


def _reached(folder: Path, root: Source) -> tuple[Source, ...]:
    """Return what a file imports from its folder, and what that imports, and so on."""
    found: dict[str, list[Source]] = {root.name: []}
    waiting = [root]
    while waiting:
        for first in sorted(first_names(waiting.pop()) - set(found)):
            if _is_sibling(folder, first):
                found[first] = list(_whole(folder, first))
                waiting.extend(found[first])
    return tuple(source for first in sorted(found) for source in found[first])


def _is_sibling(folder: Path, name: str) -> bool:
    source = source_in([folder], name)
    if source is None or Path(source.path).is_file():
        return source is not None
    spec = importlib.util.find_spec(name)  # a bare folder gives way to a library
    return spec is None or spec.origin is None or isinstance(spec.loader, _Loader)


def _whole(folder: Path, first: str) -> Iterator[Source]:
    """Yield a module, and all that lie under it if it is a package."""
    top = source_in([folder], first)
    assert top is not None
    yield top
    if not top.package:
        return
    place = Path(top.path) if Path(top.path).is_dir() else Path(top.path).parent
    names = {first}
    for file in sorted(place.rglob("*.py")):
        parts = file.relative_to(folder).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        for depth in range(2, len(parts) + 1):
            name = ".".join(parts[:depth])
            if name not in names and (source := source_in([folder], name)):
                names.add(name)
                yield source
