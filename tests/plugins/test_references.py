import dataclasses
import pickle
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from hpo_vs_adapt.plugins.references import (
    ReferenceProblem,
    Shipment,
    load_object,
    package_root,
    portable,
    ship,
)
from tests.own_files import forget_own_modules, write


@pytest.fixture(autouse=True)
def _clean(monkeypatch):
    yield from forget_own_modules(monkeypatch)


def problem(reference: str, base: Path = Path()) -> str:
    with pytest.raises(ReferenceProblem) as caught:
        load_object(reference, base)
    message = str(caught.value)
    assert reference in message
    assert "\n" not in message
    return message


def test_a_name_of_a_package_is_loaded():
    assert load_object("fractions:Fraction").__name__ == "Fraction"
    assert load_object("xml.dom.minidom:Document").__module__ == "xml.dom.minidom"


def test_a_file_is_found_from_the_base_then_from_the_current_folder(
    tmp_path, monkeypatch
):
    write(tmp_path / "here", task="Name = 'here'", both="Name = 'here'")
    write(tmp_path / "base", both="Name = 'base'")
    monkeypatch.chdir(tmp_path / "here")
    base = tmp_path / "base"
    assert load_object("task.py:Name", base) == "here"
    assert load_object("both.py:Name", base) == "base"
    assert load_object("../here/both.py:Name", base) == "here"
    assert load_object(f"{tmp_path}/here/both.py:Name", base) == "here"


def test_a_file_is_run_once_however_it_is_named(tmp_path):
    write(tmp_path, task="class Name: pass")
    first = load_object("task.py:Name", tmp_path)
    assert load_object(f"{tmp_path}/task.py:Name") is first
    assert load_object("../task.py:Name", tmp_path / "other") is first


def test_files_of_one_name_do_not_meet(tmp_path):
    write(tmp_path / "a", task="class Name: value = 'a'")
    write(tmp_path / "b", task="class Name: value = 'b'")
    a = load_object("a/task.py:Name", tmp_path)
    b = load_object("b/task.py:Name", tmp_path)
    assert (a.value, b.value) == ("a", "b")
    assert a.__module__ != b.__module__


def test_an_edited_file_is_loaded_anew(tmp_path):
    write(tmp_path, task="from helpers import Name", helpers="Name = 1")
    assert load_object("task.py:Name", tmp_path) == 1
    write(tmp_path, helpers="Name = 2")
    assert load_object("task.py:Name", tmp_path) == 2
    write(tmp_path, task="from helpers import Name as old; Name = old + 1")
    assert load_object("task.py:Name", tmp_path) == 3


@pytest.mark.parametrize("stem", ["my-task", "task.v2", "2nd"])
def test_a_file_need_not_have_the_name_of_a_module(tmp_path, stem):
    (tmp_path / f"{stem}.py").write_text("Name = 1")
    assert load_object(f"{stem}.py:Name", tmp_path) == 1


def test_a_dataclass_and_pickle_work_in_a_file(tmp_path):
    write(
        tmp_path,
        task="""
        from __future__ import annotations
        from dataclasses import dataclass
        @dataclass(slots=True)
        class Name:
            value: int
        """,
    )
    one = load_object("task.py:Name", tmp_path)(1)
    assert dataclasses.asdict(pickle.loads(pickle.dumps(one))) == {"value": 1}


@pytest.mark.parametrize(
    "statement",
    [
        "from helpers import depth",
        "from .helpers import depth",
        "import helpers; depth = helpers.depth",
        "from . import helpers; depth = helpers.depth",
        "from inner.deep import depth",
        "from inner import depth",
        "import inner.deep; depth = inner.deep.depth",
        "from bare.leaf import depth",
    ],
)
def test_a_file_imports_from_beside_it(tmp_path, statement):
    write(
        tmp_path,
        task=f"""
{statement}
def Name():
    from late import more
    return depth + more
""",
        helpers="from constants import depth",
        constants="depth = 4",
        late="more = 1",
        inner__init="import onlyhere; from inner.deep import depth",
        onlyhere="",
        inner__deep="from .deeper import depth",
        inner__deeper="depth = 4",
        bare__leaf="from . import twig; depth = twig.depth",
        bare__twig="depth = 4",
    )
    path = list(sys.path)
    assert load_object("task.py:Name", tmp_path)() == 5
    assert sys.path == path


def test_siblings_of_one_name_in_two_folders_are_refused(tmp_path):
    for folder in ("a", "b"):
        write(
            tmp_path / folder,
            task="import helpers; Name = helpers.depth",
            helpers=f"depth = {folder!r}",
        )
    assert load_object("a/task.py:Name", tmp_path) == "a"
    message = problem("b/task.py:Name", tmp_path)
    assert str(tmp_path / "a" / "helpers.py") in message
    assert "rename one of them" in message


def test_siblings_of_one_name_may_be_imported_relatively(tmp_path):
    for folder in ("a", "b"):
        write(
            tmp_path / folder,
            task="from .deep import depth; Name = depth",
            deep=f"depth = {folder!r}",
        )
    assert load_object("a/task.py:Name", tmp_path) == "a"
    assert load_object("b/task.py:Name", tmp_path) == "b"


def test_a_sibling_that_hides_a_library_is_refused(tmp_path):
    write(tmp_path, task="import random; Name = 1", random="x = 1")
    assert "random.py" in problem("task.py:Name", tmp_path)


@pytest.mark.slow
def test_a_worker_elsewhere_loads_what_was_shipped(tmp_path):
    write(
        tmp_path / "gone",
        task="from helpers import depth\nclass Name:\n    value = depth",
        helpers="from .inner import depth",
        inner__init="depth = 7",
    )
    write(tmp_path / "gone", helpers="from inner import depth")
    shipment = ship("gone/task.py:Name", tmp_path)
    for file in sorted((tmp_path / "gone").rglob("*.py")):
        file.unlink()
    code = (
        "import pickle, sys; shipment = pickle.load(sys.stdin.buffer); "
        "print(shipment.load().value, shipment.load() is shipment.load(), "
        "shipment.load().__module__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=pickle.dumps(shipment),
        capture_output=True,
        cwd=tmp_path,
        check=True,
    )
    assert done.stdout.decode().split() == ["7", "True", f"{shipment.package}.task"]


def test_a_traceback_from_a_shipped_file_shows_its_lines(tmp_path):
    write(tmp_path, task="def Name():\n    return 1 / 0  # here")
    shipment = ship("task.py:Name", tmp_path)
    (tmp_path / "task.py").unlink()
    try:
        shipment.load()()
    except ZeroDivisionError:
        assert "return 1 / 0  # here" in traceback.format_exc()
    else:
        pytest.fail("it did not run")


def test_a_package_is_shipped_by_its_name_alone():
    assert ship("fractions:Fraction") == Shipment("fractions:Fraction")


def test_a_package_beside_the_study_is_found(tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    write(tmp_path, ownpkg_a__init="", ownpkg_a__tasks="Name = 5")
    assert load_object("ownpkg_a.tasks:Name", tmp_path) == 5
    assert package_root("ownpkg_a.tasks:Name", tmp_path) == tmp_path / "ownpkg_a"


def test_only_packages_that_are_not_installed_need_shipping(tmp_path):
    write(tmp_path, single_b="Name = 5")
    assert package_root("single_b:Name", tmp_path) == tmp_path / "single_b.py"
    for reference in ("digits_mlp", "numpy.linalg:norm", "task.py:Name", "json:dumps"):
        assert package_root(reference) is None


def test_a_reference_is_portable_without_the_folder_of_its_file():
    assert portable("/home/someone/tasks/mine.py:Name") == "mine.py:Name"
    assert portable("digits_mlp") == "digits_mlp"
    assert portable("package.module:Name") == "package.module:Name"


def test_a_reference_that_leads_nowhere_says_why(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(
        tmp_path,
        task="class Name: pass",
        broken="import no_such_library",
        wrong="def f(:\n",
        raising="raise RuntimeError('no data\\nat all')",
        leaving="import sys; sys.exit(3)",
    )
    assert str(tmp_path / "none.py") in problem("none.py:Name")
    assert "no module `nowhere`" in problem("nowhere.at.all:Name")
    assert "No module named 'json.nope'" in problem("json.nope:Name")
    assert "did you mean `Name`?" in problem("task.py:Nam")
    assert "has no `Zyx`." in problem("task.py:Zyx")
    assert "ModuleNotFoundError: No module named 'no_such_library'" in problem(
        "broken.py:Name"
    )
    assert "SyntaxError" in problem("wrong.py:Name")
    assert "wrong.py, line 1" in problem("wrong.py:Name")
    assert "RuntimeError: no data at all." in problem("raising.py:Name")
    assert "SystemExit" in problem("leaving.py:Name")
    assert "must be `package.module:Name`" in problem("task.py")
    assert "must be `package.module:Name`" in problem("task.py:")
    assert "neither a module" in problem("some/where:Name")


def test_a_module_that_failed_is_not_half_loaded_the_next_time(tmp_path):
    write(tmp_path, task="Name = 1\nraise RuntimeError('late')")
    assert "late" in problem("task.py:Name", tmp_path)
    assert "late" in problem("task.py:Name", tmp_path)
