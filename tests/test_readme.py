"""Every snippet of README and documentation is run, or parsed by what would run it."""

import importlib
import json
import os
import re
import runpy
import shlex
import subprocess
import sys
import textwrap
import tomllib
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Union, get_args, get_origin

import pandas as pd
import pytest
import typer
from pydantic import BaseModel

import hpo_vs_adapt
from hpo_vs_adapt.cli.app import app
from hpo_vs_adapt.optim import RULES
from hpo_vs_adapt.study import Study
from hpo_vs_adapt.study.schema import StudySchema
from hpo_vs_adapt.study.text import parse
from hpo_vs_adapt.tables.catalogue import CATALOGUE
from hpo_vs_adapt.workloads import WORKLOADS

ROOT = Path(__file__).parent.parent
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
}
README, TEXT = PAGES["README.md"], "\n".join(PAGES.values())


@dataclass(frozen=True)
class Snippet:
    """A fenced block.

    Args:
        language: After the fence.
        text: Between the fences.
        file: The file that the paragraph before it names last, as `` `name.py`: ``, or
            None.
    """

    language: str
    text: str
    file: str | None


def read_snippets(page: str) -> list[Snippet]:
    pieces = re.split(r"^```(\w*)\n(.*?)^```$", page, flags=re.M | re.S)
    snippets = []
    for before, language, text in zip(
        pieces[0::3], pieces[1::3], pieces[2::3], strict=False
    ):
        paragraph = before.strip().rpartition("\n\n")[2]
        suffix = {"python": "py", "yaml": "yaml"}.get(language, "-")
        named = re.findall(rf"`([\w/]+\.{suffix})`", paragraph)
        snippets.append(Snippet(language, text, named[-1] if named else None))
    return snippets


SNIPPETS = [one for page in PAGES.values() for one in read_snippets(page)]
FILES = {one.file: one.text for one in SNIPPETS if one.file is not None}
STUDIES = [one.text for one in SNIPPETS if one.language == "yaml"]
COMMANDS = [
    line for one in SNIPPETS if one.language == "bash" for line in one.text.splitlines()
]


@pytest.fixture
def folder(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def run_file(folder, monkeypatch, capsys):
    """Return a function that runs a file of the folder and returns what it prints."""

    def run_it(name: str) -> str:
        monkeypatch.chdir(folder)
        runpy.run_path(name, run_name="__main__")
        return capsys.readouterr().out

    return run_it


def run(folder: Path, *args: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", *args],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def normalised(text: str) -> str:
    return " ".join(text.replace("\n>", "\n").split())


def known_keys(annotation) -> set[str]:
    """Return the keys of all schemas that an annotation leads to."""
    if get_origin(annotation) in (Annotated, Union, UnionType, tuple, dict):
        parts = get_args(annotation)
        return set().union(*(known_keys(part) for part in parts))
    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return set()
    fields = annotation.model_fields
    below = (known_keys(field.annotation) for field in fields.values())
    return set(fields).union(*below)


def keys_in(value) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*(keys_in(one) for one in value.values()))
    if isinstance(value, list):
        return set().union(*(keys_in(one) for one in value))
    return set()


def test_every_snippet_is_of_a_kind_that_is_tested():
    assert {one.language for one in SNIPPETS} == {"bash", "python", "yaml", "text"}
    python = [one for one in SNIPPETS if one.language == "python"]
    assert all(one.file and one.file.endswith(".py") for one in python)
    assert len(FILES) == sum(one.file is not None for one in SNIPPETS)


@pytest.mark.parametrize("text", STUDIES, ids=lambda text: parse(text)["name"])
def test_every_study_that_is_shown_is_valid(text, folder):
    (folder / "study.yaml").write_text(text)
    study = Study.from_yaml(folder / "study.yaml")
    assert study.text == text


def test_the_study_that_is_explained_has_every_key_there_is():
    explained = next(parse(text) for text in STUDIES if "name: rates" in text)
    missing = known_keys(StudySchema) - keys_in(explained)
    assert missing == {"steps"}  # the other form of `evaluate_every`, in its comment


@pytest.mark.parametrize(
    "line", [one for one in COMMANDS if one.startswith("hpo-vs-adapt ")]
)
def test_every_command_that_is_shown_is_one_that_the_command_line_takes(line):
    name, *args = shlex.split(line)[1:]
    group = typer.main.get_command(app)
    context = typer.Context(group)
    command = group.get_command(context, name)
    assert command is not None
    command.make_context(name, args, parent=context)  # raises where it is refused


def test_every_study_file_that_a_command_names_is_there():
    named = {word for line in COMMANDS for word in shlex.split(line)}
    files = {word for word in named if word.endswith(".yaml")}
    assert files
    assert all(name in FILES or (ROOT / name).is_file() for name in files)


def test_every_make_target_that_is_shown_is_in_the_makefile():
    targets = {line.split()[1] for line in COMMANDS if line.startswith("make ")}
    assert targets >= {"quickstart", "test"}
    makefile = (ROOT / "Makefile").read_text()
    assert all(re.search(rf"^{name}:", makefile, re.M) for name in targets)


def test_no_command_that_is_shown_is_of_another_kind():
    kinds = {shlex.split(line)[0] for line in COMMANDS}
    assert kinds == {"make", "hpo-vs-adapt", "ray"}


@pytest.mark.slow
def test_ray_takes_the_options_that_are_shown():
    (line,) = {one for one in COMMANDS if one.startswith("ray ")}
    _, name, *args = shlex.split(line)
    # In a process of its own, since Ray's command line changes the environment.
    script = (
        "import sys; from ray.scripts.scripts import cli; "
        "cli.commands[sys.argv[1]].make_context(sys.argv[1], sys.argv[2:])"
    )
    run(ROOT, "-c", script, name, *args)


def test_every_exit_status_of_the_command_line_is_told():
    messages = importlib.import_module("hpo_vs_adapt.cli.messages")
    table = (
        PAGES["docs/command_line.md"]
        .partition("| exit status |")[2]
        .partition("\n\n")[0]
    )
    listed = {int(number) for number in re.findall(r"^\| (\d+) ", table, re.M)}
    known = {messages.CRASHED, messages.WRONG, messages.BUG, messages.INTERRUPTED}
    assert listed == {0, *known}


def test_the_loop_of_ones_own_learns_with_both_optimizers(run_file):
    lines = run_file("own_loop.py").splitlines()
    losses = [float(line.split("loss ")[1].split()[0]) for line in lines]
    assert len(losses) == 2
    assert max(losses) < 0.1  # it begins above 5


def test_every_rule_is_in_the_table_of_rules():
    table = (
        PAGES["docs/rules.md"].partition("## The contenders")[2].partition("\n## ")[0]
    )
    assert all(f"`{name}`" in table for name in RULES)


def test_every_name_that_a_page_imports_is_public():
    imports = re.findall(r"^from (hpo_vs_adapt[\w.]*) import (.+)$", TEXT, re.M)
    assert imports
    for module, names in imports:
        public = importlib.import_module(module).__all__
        assert set(names.split(", ")) <= set(public)


def test_every_workload_is_listed_with_its_target_and_budget():
    page = PAGES["docs/workloads.md"]
    assert all(f"`{name}`" in page for name in WORKLOADS)
    rows = re.findall(
        r"^\| `(\w+)` \|.*\| (\w+) ([\d.]+) \| (\d+) epochs \|$", page, re.M
    )
    listed = {name: (metric, float(t), float(e)) for name, metric, t, e in rows}
    known = {name: WORKLOADS[name] for name in listed}
    assert set(known) == {name for name in WORKLOADS if not known_optimum(name)}
    assert listed == {n: (w.metric.name, w.target, w.epochs) for n, w in known.items()}


def test_every_table_of_a_report_is_named_where_questions_are_answered():
    page = PAGES["docs/questions.md"]
    assert [name for name in CATALOGUE if f"`{name}`" not in page] == []


def known_optimum(name: str) -> bool:
    return WORKLOADS[name].metric.name == "distance"


def test_the_readme_counts_what_the_package_has():
    assert f"{len(WORKLOADS)} workloads and {len(RULES)} rules" in README


def test_a_newcomer_reads_the_readme_to_its_end():
    assert len(README.splitlines()) <= 300


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_page_links_to_is_there(page):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", PAGES[page])
    folder = (ROOT / page).parent
    assert [one for one in links if not (folder / one).is_file()] == []


def test_the_verdict_in_the_readme_is_that_of_the_committed_report():
    report = ROOT / "reports/examples/quickstart"
    summary = json.loads((report / "summary.json").read_text())
    text = normalised(README)
    for verdict in summary["verdict"]:
        assert normalised(verdict["sentence"]) in text


def test_the_workload_of_ones_own_fits_into_forty_lines():
    assert len(FILES["diabetes.py"].splitlines()) <= 40


def test_the_extras_that_the_project_names_are_the_packages_own():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = set(re.findall(r"hpo-vs-adapt\[(\w+)\]|'\.\[(\w+)\]'", TEXT))
    extras = {one for pair in named for one in pair if one}
    assert extras
    assert extras <= set(project["optional-dependencies"])


@pytest.mark.slow
def test_the_readmes_own_rule_and_workload_keep_their_contracts(folder):
    printed = run(folder, "-m", "pytest", "-q", "test_own.py")
    assert re.search(r"^\d+ passed", printed, re.M)


@pytest.mark.slow
def test_the_readmes_own_study_runs_and_is_replayed_from_python(folder, run_file):
    printed = run(folder, "-m", "hpo_vs_adapt", "run", "diabetes.yaml")
    assert "adagrad-norm  adaptive" in printed
    report = folder / "reports/diabetes"
    verdict = json.loads((report / "summary.json").read_text())["verdict"]
    trials = pd.read_csv(report / "tables/trials.csv")
    assert len(trials) == 4 * 3 + 3 + 3  # the grid, its retrains, adagrad-norm
    records = {
        path: path.stat().st_mtime_ns for path in folder.glob("runs/records/*/*")
    }
    assert {path.stem for path in records} == set(trials["key"])

    printed = run_file("diabetes_study.py")
    assert verdict[0]["sentence"] in printed
    assert "reports/diabetes/index.html" in printed
    printed = run_file("other_tuners.py")
    assert re.findall(r"^(grid|random|halving) ", printed, re.M) == [
        *("grid", "random", "halving"),
    ]
    printed = run_file("fixed_rate.py")
    assert re.findall(r" (0\.\d+) +[0-3] ", printed) == [
        "0.0001",
        *("0.0010", "0.0100", "0.1000"),
    ]

    # The example in the package's docstring, with these trials in its study.
    (folder / "studies").mkdir()
    for name in ("diabetes.py", "adagrad_norm.py"):
        (folder / name).rename(folder / "studies" / name)
    (folder / "diabetes.yaml").rename(folder / "studies/quickstart.yaml")
    (folder / "example.py").write_text(
        textwrap.dedent(hpo_vs_adapt.__doc__.partition(":\n\n")[2])
    )
    run_file("example.py")
    assert (folder / "reports/quickstart/index.html").is_file()

    after = folder.glob("runs/records/*/*")
    assert records == {path: path.stat().st_mtime_ns for path in after}
