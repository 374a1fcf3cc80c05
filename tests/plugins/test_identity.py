import dataclasses
import math
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import hpo_vs_adapt
from hpo_vs_adapt.optim import RULES
from hpo_vs_adapt.plugins.identity import source_hash, sources_of, trial_key
from hpo_vs_adapt.plugins.references import load_object
from hpo_vs_adapt.records.trials import TrialSpec
from hpo_vs_adapt.workloads import WORKLOADS
from tests.own_files import forget_own_modules

TASK = '''
"""About the task."""
from __future__ import annotations
from typing import TYPE_CHECKING
import json
from helpers import depth
if TYPE_CHECKING:
    from other import Name

class Task:
    """What it is."""
    width = 3  # a comment
    def layers(self) -> int:
        return depth * self.width
'''
FILES = {
    "task.py": TASK,
    "helpers.py": "from constants import depth\n",
    "constants.py": "depth = 2\n",
    "other.py": "class Name: pass\n",
    "unused.py": "depth = 3\n",
}


@pytest.fixture(autouse=True)
def _clean(monkeypatch):
    yield from forget_own_modules(monkeypatch)


@pytest.fixture
def folder(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def hash_of(folder: Path, reference: str = "task.py:Task") -> str:
    return source_hash(load_object(reference, folder))


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""About the task."""', '"""Something else."""'),
        ('"""What it is."""', ""),
        ("  # a comment", ""),
        ("depth * self.width", "(depth\n    * self.width)"),
        ("import json", "import json\n\n\n"),
        ("from other import Name", "from other import Name as Other"),
    ],
)
def test_words_and_layout_do_not_change_the_hash(folder, old, new):
    before = hash_of(folder)
    edit(folder / "task.py", old, new)
    assert hash_of(folder) == before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("task.py", "width = 3", "width = 4"),
        ("task.py", "width = 3", "width = 3.0"),
        ("task.py", "width = 3", "width = '3'"),
        ("task.py", "depth * self.width", "depth + self.width"),
        ("task.py", "return", "print()\n        return"),
        ("helpers.py", "import depth", "import depth as d; depth = d + 1"),
        ("constants.py", "2", "3"),
    ],
)
def test_a_change_of_the_code_changes_the_hash(folder, file, old, new):
    before = hash_of(folder)
    edit(folder / file, old, new)
    assert hash_of(folder) != before


@pytest.mark.parametrize("file", ["other.py", "unused.py"])
def test_files_that_are_not_imported_do_not_count(folder, file):
    before = hash_of(folder)
    (folder / file).write_text("changed = True\n")
    assert hash_of(folder) == before


@pytest.mark.slow
def test_the_hash_does_not_depend_on_the_folder(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for name, text in FILES.items():
        (elsewhere / name).write_text(text)
    here = hash_of(folder)
    code = (
        "import sys; from pathlib import Path;"
        "from hpo_vs_adapt.plugins.references import load_object;"
        "from hpo_vs_adapt.plugins.identity import source_hash;"
        "print(source_hash(load_object('task.py:Task', Path(sys.argv[1]))))"
    )
    command = [sys.executable, "-c", code, str(elsewhere)]
    there = subprocess.run(command, capture_output=True, check=True, text=True)
    assert there.stdout.strip() == here


@pytest.mark.slow
def test_the_hash_of_a_script_counts_what_is_beside_it(folder):
    script = folder / "task.py"
    tail = "\nfrom hpo_vs_adapt.plugins.identity import sources_of\n"
    tail += "print(*[source.name for source in sources_of(Task)])\n"
    script.write_text(TASK + tail)
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, check=True, text=True
    )
    names = done.stdout.split()
    assert {"__main__", "helpers", "constants"} <= set(names)
    assert "other" not in names


@pytest.mark.slow
def test_a_class_without_a_file_is_refused():
    code = (
        "from hpo_vs_adapt.plugins.identity import source_hash\n"
        "class Task: pass\n"
        "try:\n    source_hash(Task)\nexcept ValueError as problem:\n    print(problem)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True
    )
    assert "Task must be defined in a file" in done.stdout


def test_a_package_hands_on_names_without_counting_itself(tmp_path, monkeypatch):
    root = tmp_path / "ownpkg_identity"
    for name, text in {
        "__init__.py": "from .many import *",
        "many/__init__.py": "from .one import One as First; from .two import Two",
        "many/one.py": "from ..base import Base\nclass One(Base): value = 1",
        "many/two.py": "from ..base import Base\nclass Two(Base): value = 2",
        "base.py": "class Base: pass",
        "uses.py": "from .many import First\nclass Uses(First): pass",
        "whole.py": "from . import many\nclass Whole(many.First): pass",
    }.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)

    def names(reference):
        sources = sources_of(load_object(reference))
        return [source.name.removeprefix("ownpkg_identity.") for source in sources]

    assert names("ownpkg_identity.uses:Uses") == ["base", "many.one", "uses"]
    assert names("ownpkg_identity.many.two:Two") == ["base", "many.two"]
    everything = ["base", "many", "many.one", "many.two", "whole"]
    assert names("ownpkg_identity.whole:Whole") == everything


@pytest.mark.parametrize("cls", [*RULES.values(), *WORKLOADS.values()])
def test_what_is_built_in_depends_on_its_own_family_alone(cls):
    names = {source.name for source in sources_of(cls)}
    family = cls.__module__.rpartition(".")[0]
    assert cls.__module__ in names
    assert f"{family}.base" in names
    # CLARA's simulated walks are seeded, and kept in files that appear whole.
    shared = {"hpo_vs_adapt.seeds", "hpo_vs_adapt.partial_files"}
    assert all(name.startswith(f"{family}.") for name in names - shared)


def test_no_rule_depends_on_another_adaptive_one():
    own = {
        "hpo_vs_adapt.optim.clara": RULES["clara"],
        "hpo_vs_adapt.optim.tlr": RULES["tlr"],
    }
    for name, rule in RULES.items():
        covered = {source.name for source in sources_of(rule)}
        others = {module for module, cls in own.items() if cls is not RULES[name]}
        assert not covered & others


@pytest.mark.slow
def test_an_edited_rule_changes_its_own_hash_alone(tmp_path):
    package = Path(hpo_vs_adapt.__file__).parent
    copy = tmp_path / package.name
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for file in copy.rglob("*.py"):
        file.write_text(file.read_text() + "\n# A comment.\n")
    with (copy / "optim" / "tlr.py").open("a") as file:
        file.write("ANOTHER_CONSTANT = 1\n")
    code = (
        "from hpo_vs_adapt.plugins.identity import source_hash\n"
        "from hpo_vs_adapt.optim import RULES\n"
        "from hpo_vs_adapt.workloads import WORKLOADS\n"
        "for name, cls in {**RULES, **WORKLOADS}.items():\n"
        "    print(name, source_hash(cls))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
    )
    edited = dict(line.split() for line in done.stdout.splitlines())
    before = {n: source_hash(cls) for n, cls in {**RULES, **WORKLOADS}.items()}
    assert {name for name in before if edited[name] != before[name]} == {"tlr"}


SPEC = TrialSpec(
    "digits_mlp",
    "sgd",
    (("lr", 0.1), ("momentum", 0.9), ("nesterov", False), ("warmup", 1)),
    batch_size=64,
    seed=2**62 + 1,
    epochs=20.0,
    evaluate_every=18,
)
DEFAULTS = {"lr": 0.01, "momentum": 0.0, "nesterov": False, "warmup": 0, "betas": None}


def key(spec=SPEC, workload="w", rule="r", data_version="d", loop_version=1):
    return trial_key(spec, workload, rule, data_version, loop_version, DEFAULTS)


def given(**changes):
    """Return the trial with other settings, None for a setting left out."""
    settings = dict(SPEC.settings) | changes
    pairs = tuple(sorted((n, v) for n, v in settings.items() if v is not None))
    return dataclasses.replace(SPEC, settings=pairs)


def test_a_key_is_thirty_two_hexadecimal_digits():
    assert len(key()) == 32
    assert int(key(), 16) >= 0


@pytest.mark.parametrize(
    "same",
    [
        given(nesterov=None),
        given(warmup=1.0),
        dataclasses.replace(SPEC, settings=SPEC.settings[::-1]),
        dataclasses.replace(SPEC, epochs=20),
        dataclasses.replace(SPEC, stop_at=0.97),
    ],
)
def test_what_trains_the_same_has_the_same_key(same):
    assert key(same) == key()


@pytest.mark.parametrize(
    "other",
    [
        given(lr=math.nextafter(0.1, 1)),
        given(momentum=None),
        given(nesterov=True),
        given(warmup=True),
        given(lr="0.1"),
        given(lr=math.inf),
        given(betas=(0.9, 0.999)),
        dataclasses.replace(SPEC, workload="digits_logreg"),
        dataclasses.replace(SPEC, rule="adam"),
        dataclasses.replace(SPEC, batch_size=65),
        dataclasses.replace(SPEC, seed=2**62),
        dataclasses.replace(SPEC, epochs=20.5),
        dataclasses.replace(SPEC, evaluate_every=19),
        dataclasses.replace(SPEC, split="paper"),
        dataclasses.replace(SPEC, precision="float64"),
    ],
)
def test_what_trains_otherwise_has_another_key(other):
    assert key(other) != key()


def test_every_field_of_a_trial_but_the_stop_is_in_the_key():
    changed = {
        "workload": "x:Y",
        "rule": "adam",
        "settings": (),
        "batch_size": 1,
        "seed": 1,
        "epochs": 1.0,
        "evaluate_every": 1,
        "split": "paper",
        "precision": "float64",
    }
    fields = {field.name for field in dataclasses.fields(TrialSpec)} - {"stop_at"}
    assert set(changed) == fields
    keys = {key(dataclasses.replace(SPEC, **{n: v})) for n, v in changed.items()}
    assert len(keys | {key()}) == len(fields) + 1


def test_source_data_and_loop_are_in_the_key():
    keys = [key(), key(workload="x"), key(rule="x"), key(data_version="x")]
    keys += [key(loop_version=2), key(workload="r", rule="w")]
    assert len(set(keys)) == len(keys)


def test_equal_zeros_and_a_default_of_nan_are_recognised():
    assert key(given(lr=0.0)) == key(given(lr=-0.0)) == key(given(lr=0))
    with_nan = {"lr": math.nan}
    spec = dataclasses.replace(SPEC, settings=(("lr", math.nan),))
    bare = dataclasses.replace(SPEC, settings=())
    assert trial_key(spec, "w", "r", "d", 1, with_nan) == trial_key(
        bare, "w", "r", "d", 1, with_nan
    )


def test_the_folder_of_a_file_is_not_in_the_key():
    here = dataclasses.replace(SPEC, workload="/home/one/task.py:Task")
    there = dataclasses.replace(SPEC, workload="tasks/task.py:Task")
    other = dataclasses.replace(SPEC, workload="tasks/task.py:Other")
    assert key(here) == key(there) != key(other)


@pytest.mark.slow
def test_a_key_is_the_same_in_every_process():
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from tests.plugins.test_identity import key; print(key())",
        ],
        capture_output=True,
        check=True,
        text=True,
        env={"PYTHONHASHSEED": "1"},
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.strip() == key()
