"""Reading YAML so that nothing in it is lost or taken for something else."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from hpo_vs_adapt.study.errors import StudyError
from hpo_vs_adapt.wording.secrets import MASK, Secrets

__all__ = ["mask_text", "parse", "read_text"]


_NOT_WHAT_IT_CLAIMS = (
    *(yaml.YAMLError, ValueError, KeyError, RecursionError),
    *(AttributeError, IndexError, TypeError, OverflowError),
)
"""What PyYAML raises where a scalar has not the type it claims, such as `!!int x`."""

_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"  # of the byte order, before everything
_MASKED = f"# A copy: passwords and keys are hidden, and stand here as {MASK}\n"


class _Loader(yaml.SafeLoader):
    """Refuses a key that is given twice, and reads ``1e-3`` as the number it is."""

    def construct_mapping(
        self, node: yaml.MappingNode, deep: bool = False
    ) -> dict[Hashable, Any]:
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value == "<<":
                continue
            line = key.start_mark.line + 1
            if key.value in lines:
                raise yaml.constructor.ConstructorError(
                    problem=f"the key `{key.value}` is given twice, "
                    f"the first time on line {lines[key.value]}",
                    problem_mark=key.start_mark,
                )
            lines[key.value] = line
        return super().construct_mapping(node, deep)


# YAML 1.1 wants a dot and a signed exponent in a float; YAML 1.2 and Python do not.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+\Z"),
    list("-+.0123456789"),
)


def read_text(path: Path) -> str:
    """Return the text of a study file.

    Raises:
        StudyError: If it is not there, is a directory, or cannot be read as text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise StudyError([_missing(path)], path) from None
    except IsADirectoryError:
        raise StudyError(
            ["a study must be a file; this is a directory."], path
        ) from None
    except UnicodeDecodeError:
        raise StudyError(
            ["a study must be text in UTF-8; this is not."], path
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise StudyError([f"the file cannot be read: {reason}."], path) from None


def parse(text: str, source: Path | None = None) -> dict[str, Any]:
    """Return the mapping that a study's text holds.

    Raises:
        StudyError: If it is no YAML, with the line; or no mapping.
    """
    try:
        data = yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise StudyError([_sentence(error)], source) from None
    except _NOT_WHAT_IT_CLAIMS as error:
        said = str(error).splitlines() or [type(error).__name__]
        raise StudyError([f"this is no valid YAML: {said[0]}."], source) from None
    if not isinstance(data, dict):
        got = "nothing" if data is None else f"a {type(data).__name__}"
        rule = "a study must be a mapping with `name`, `workloads` and `arms`"
        raise StudyError([f"{rule}; got {got}."], source)
    return data


def mask_text(text: str, secrets: Secrets) -> str:
    """Return a study's text without secrets; comments and layout stay.

    The text is looked through as YAML reads it: a secret is found however its value is
    quoted, escaped, folded or anchored, and in comments.

    Args:
        text: That `parse` takes.
        secrets: What to hide.
    """
    parts, end, key = [], 0, False
    for token in yaml.scan(text, Loader=_Loader):
        start = max(end, token.start_mark.index)
        parts.append(_hide_comments(text[end:start], secrets))
        end = max(end, token.end_mark.index)
        part = text[start:end]
        if isinstance(token, yaml.ScalarToken):
            part = _hide_scalar(part, token.value, secrets, alone=not key)
        parts.append(part)
        key = isinstance(token, yaml.KeyToken)
    masked = "".join([*parts, _hide_comments(text[end:], secrets)])
    return masked if masked == text else f"{_MASKED}{masked.removeprefix(_MARK)}"


def _hide_comments(gap: str, secrets: Secrets) -> str:
    """Hide what a comment says, in what lies between two tokens."""
    return re.sub("#.*", lambda found: secrets.hide(found[0]), gap)


def _hide_scalar(written: str, value: str, secrets: Secrets, *, alone: bool) -> str:
    """Return how a value is written without secrets, as it was written if that does."""
    shown = secrets.hide(value, alone=alone)
    if shown == value:
        return written
    same = secrets.hide(written, alone=alone)
    plain = "\n" not in written and "#" not in written and not set(written) & set("|>")
    if plain and same.startswith(written[:1]):
        try:
            if yaml.load(same, Loader=yaml.BaseLoader) == shown:
                return same
        except yaml.YAMLError:  # the mask has cut an escape; it is written anew
            pass
    ending = written[len(written.rstrip()) :]  # a block's last line
    return yaml.dump(shown, default_style='"', width=math.inf).rstrip("\n") + ending


def _missing(path: Path) -> str:
    folder = path.parent
    others = sorted(p.name for p in folder.glob("*.y*ml")) if folder.is_dir() else []
    if not others:
        return "there is no such file."
    return f"there is no such file; {folder} has {', '.join(others)}."


def _sentence(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    what = ", ".join(part for part in (error.context, error.problem) if part)
    return f"{where}this is no valid YAML: {what}."
