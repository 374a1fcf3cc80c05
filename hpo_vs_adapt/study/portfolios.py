"""Portfolios of a study: arms that are tried in turn until one of them hits."""

from __future__ import annotations

from collections.abc import Mapping

from hpo_vs_adapt.study.errors import Problems
from hpo_vs_adapt.study.parts import Arm, Tune
from hpo_vs_adapt.study.schema import ArmSchema
from hpo_vs_adapt.wording import nearest

__all__ = ["build_portfolio"]


def build_portfolio(
    schema: ArmSchema,
    path: str,
    arms: Mapping[str, ArmSchema],
    built: Mapping[str, Arm | None],
    problems: Problems,
) -> Arm | None:
    """Return an arm that tries others in turn; None if it is wrong.

    Args:
        schema: As the file has it.
        path: Where it is in the file, ``arms[0]``.
        arms: All arms of the file by name.
        built: Those with a rule, by name; None for one that is wrong itself.
        problems: Collects what is wrong.
    """
    before = len(problems.found)
    names = schema.any_of or ()
    for key in ("optimizer", "tune", "stop_at_target"):
        if getattr(schema, key) is not None:
            problems.found.append(
                f"`{path}.{key}` must not stand beside `any_of`; remove one."
            )
    if len(names) < 2:
        problems.found.append(
            f"`{path}.any_of` must name at least two arms; got {list(names)!r}."
        )
    for i, name in enumerate(names):
        _check_member(f"{path}.any_of[{i}]", name, names[:i], arms, problems)
    members = [built.get(name) for name in names]
    if len(problems.found) > before or None in members:
        return None
    return Arm(
        schema.name,
        rule="",
        settings={},
        tune=Tune(by="portfolio"),
        members=tuple(arm for arm in members if arm is not None),
    )


def _check_member(
    path: str,
    name: str,
    earlier: tuple[str, ...],
    arms: Mapping[str, ArmSchema],
    problems: Problems,
) -> None:
    member = arms.get(name)
    if member is None:
        known = sorted(n for n, arm in arms.items() if arm.any_of is None)
        problems.found.append(
            f"`{path}`: there is no arm `{name}`; {nearest(name, known)}"
        )
    elif name in earlier:
        problems.found.append(f"`{path}` must not name `{name}` again.")
    elif member.any_of is not None or member.tune is not None:
        problems.found.append(
            f"`{path}` must be an arm with a rule and without `tune`; got {name!r}. "
            "Members are tried at the settings that the study gives them."
        )
