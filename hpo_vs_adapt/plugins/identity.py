"""What makes two trials the same trial: hashes of their source, settings and data.

Formatting, comments and docstrings are not part of it; a changed constant is. Neither
are the machine and the versions of libraries: records are shared between people, though
the last digits of a curve may differ between machines.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import sys
from collections.abc import Mapping
from functools import lru_cache, partial
from pathlib import Path

from hpo_vs_adapt.plugins.problem import ReferenceProblem
from hpo_vs_adapt.plugins.references import portable
from hpo_vs_adapt.plugins.shipment import carried_by
from hpo_vs_adapt.plugins.sources import (
    Locate,
    Source,
    closure,
    for_types_only,
    importable,
    installed,
    read_source,
    source_in,
)
from hpo_vs_adapt.records.trials import TrialSpec, Value

__all__ = ["source_hash", "sources_of", "trial_key"]


def source_hash(cls: type) -> str:
    """Return a hash of the code that a rule or a workload is made of.

    It covers the syntax trees of `sources_of`: the class's module and what it imports
    of one's own code. Installed packages such as torch are not in it; of a rule that
    hosts an installed optimizer it covers the host, and the optimizer's name.

    Raises:
        ReferenceProblem: If the class was not defined in a file.
    """
    digest = hashlib.blake2b(digest_size=16)
    hosted = getattr(cls, "optimizer", None)
    if hosted is not None:
        # Of one's own the source counts; its module's name says where it lies.
        module = hosted.__module__ if _is_installed(hosted) else ""
        digest.update(f"{module}:{hosted.__qualname__}\x1e".encode())
    for source in sources_of(cls):
        digest.update(f"{source.name}\x1f{_tree(source.text)}\x1e".encode())
    return digest.hexdigest()


def sources_of(cls: type) -> tuple[Source, ...]:
    """Return the modules that `source_hash` covers, sorted by name.

    Raises:
        ReferenceProblem: If the class was not defined in a file.
    """
    hosted = getattr(cls, "optimizer", None)
    if hosted is not None:
        host = cls.__mro__[1]  # the class made for the optimizer has no source itself
        own = () if _is_installed(hosted) else sources_of(hosted)
        return tuple(sorted({*sources_of(host), *own}, key=lambda one: one.name))
    module = sys.modules[cls.__module__]
    shipment = carried_by(module)
    if shipment is not None:
        return closure(shipment.root, shipment.locate)
    file = inspect.getsourcefile(module) if hasattr(module, "__file__") else None
    if file is None:
        raise ReferenceProblem(
            f"{cls.__qualname__} must be defined in a file, so that its records can be "
            "told from those of another version; move it to one."
        )
    name, path = module.__name__, Path(file)
    source = Source(name, file, read_source(path), path.name == "__init__.py")
    locate: Locate = partial(importable, top=name.partition(".")[0])
    if name == "__main__":
        locate = partial(_beside, path.parent)
    return closure(source, locate)


def trial_key(
    spec: TrialSpec,
    workload: str,
    rule: str,
    data_version: str,
    loop_version: int,
    defaults: Mapping[str, Value],
) -> str:
    """Return the identity of a trial, 32 hexadecimal digits.

    Settings are compared as values: 1 and 1.0 are one number, 0.0 and -0.0 too; True is
    not 1. A setting equal to its default is the same as none. Where a file of one's own
    lies does not count; what is in it does.

    Args:
        spec: What is asked for.
        workload: `source_hash` of the workload.
        rule: `source_hash` of the rule.
        data_version: Hash of the data set (`Dataset.version`).
        loop_version: Version number of the training loop.
        defaults: Of the rule's settings.
    """
    fields = spec.identity()
    settings = {name: _exact(value) for name, value in spec.settings}
    fields["settings"] = {
        name: value
        for name, value in settings.items()
        if name not in defaults or not _same(value, _exact(defaults[name]))
    }
    for name in ("batch_size", "seed", "epochs", "evaluate_every"):
        fields[name] = _exact(getattr(spec, name))
    fields["workload"] = [portable(spec.workload), workload]
    fields["rule"] = [portable(spec.rule), rule]
    fields |= {"data_version": data_version, "loop_version": loop_version}
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _exact(value: Value) -> object:
    """Return a setting as JSON holds it, equal numbers alike."""
    if isinstance(value, tuple):
        return [_exact(entry) for entry in value]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    if isinstance(value, int) and abs(value) > 2**53:  # not every one is a float
        return value
    return float(value) + 0.0  # -0.0 becomes 0.0


def _same(one: object, other: object) -> bool:
    return json.dumps(one) == json.dumps(other)  # True is not 1, NaN is NaN


def _is_installed(cls: type) -> bool:
    module = sys.modules[cls.__module__]
    file = getattr(module, "__file__", None)
    return carried_by(module) is None and file is not None and installed(Path(file))


def _beside(folder: Path, name: str) -> Source | None:
    return source_in([folder], name) or importable(name)


@lru_cache(maxsize=1024)
def _tree(text: str) -> str:
    return repr(_canonical(ast.parse(text)))


def _canonical(node: object) -> object:
    """Return a syntax tree as nested tuples, alike for all versions of Python.

    Empty fields are left out, since newer versions add some; so are docstrings and the
    bodies of ``if TYPE_CHECKING``.
    """
    if isinstance(node, list):
        return tuple(_canonical(item) for item in node if not _idle(item))
    if not isinstance(node, ast.AST):
        return repr(node)
    if for_types_only(node):
        return ("If", _canonical(node.orelse))
    fields = [
        (name, _canonical(value))
        for name, value in ast.iter_fields(node)
        if name not in ("ctx", "kind", "type_comment") and value not in (None, [])
    ]
    return (type(node).__name__, *fields)


def _idle(node: object) -> bool:
    """Return whether a statement does nothing: docstring, ``pass``, for types only."""
    if for_types_only(node):
        return not node.orelse
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return isinstance(node.value.value, str)
    return isinstance(node, ast.Pass)
