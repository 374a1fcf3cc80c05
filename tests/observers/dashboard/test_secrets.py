"""A study in a database with a password: nobody sees it in what a run leaves."""

from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
import yaml

from tests.running import start

PASSWORD = "Gr8 sécret/+&'\"<x>@\\%"
QUERY = "Qu3ry-sécret'"

STUDY = """\
# Ask for the password: {password} (or {url})
name: hidden
seeds: [0]
workloads: [{{name: iris_logreg, budget: {{epochs: 2}}, target: 0.9}}]
arms:
  - {{name: sgd, optimizer: {{rule: sgd, lr: 0.1}}}}
  - {{name: broken, optimizer: {{rule: "broken.py:Broken"}}}}
storage: {{records: runs, optuna: &db {url}}}  # not {password}
"""

BROKEN = """\
from pathlib import Path

from hpo_vs_adapt.optim.fixed import SGD


class Broken(SGD):
    def update(self, w, g, state, oracle):
        raise RuntimeError("cannot log to " + {url!r})
"""

SPELLINGS = [
    spell(word)
    for word in (PASSWORD, QUERY)
    for spell in (str, quote, quote_plus, lambda text: quote(text, safe=""))
]
SPELLINGS += ["Gr8", "Qu3ry", "écret", "9cret"]  # and none of it in another spelling


def seen(text: str) -> list[str]:
    return [spelling for spelling in SPELLINGS if spelling in text]


def printed(folder: Path, *args: str) -> tuple[int, str]:
    process = start(folder, *args)
    out, err = process.communicate()
    return process.returncode, out + err


@pytest.mark.slow
@pytest.mark.long
def test_a_password_of_the_database_is_nowhere_in_what_a_run_leaves(postgres, tmp_path):
    place = postgres.replace("postgres@", f"postgres:{quote(PASSWORD, safe='')}@")
    url = f"{place}?password={quote_plus(QUERY)}"
    (tmp_path / "broken.py").write_text(BROKEN.format(url=url))
    written = yaml.safe_dump(url, default_style="'", width=1e9).strip()
    text = STUDY.format(url=written, password=PASSWORD)
    (tmp_path / "hidden.yaml").write_text(text, encoding="utf-8")
    for command in ("run", "status", "report", "plan"):
        status, output = printed(tmp_path, command, "hidden.yaml", "--verbose")
        assert status == (1 if command in ("run", "report") else 0), output
        assert not seen(output), command
    assert (tmp_path / "hidden.yaml").read_text(encoding="utf-8") == text
    report = tmp_path / "reports" / "hidden"
    files = [file for file in report.rglob("*") if file.is_file()]
    assert {"index.html", "summary.json", "study.yaml"} <= {f.name for f in files}
    contents = {file: file.read_text(encoding="utf-8") for file in files}
    for file, content in contents.items():
        assert not seen(content), file
    copy = contents[report / "study.yaml"]
    assert copy.startswith("# A copy: passwords and keys are hidden")
    assert yaml.safe_load(copy)["storage"]["optuna"].startswith(
        "postgresql+psycopg2://postgres:***@127.0.0.1:"
    )
    assert "cannot log to" in contents[report / "index.html"]


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--verbose"]], ids=["short", "verbose"])
def test_a_server_that_does_not_answer_is_named_without_the_password(tmp_path, options):
    url = f"postgresql+psycopg2://me:{quote(PASSWORD, safe='')}@127.0.0.1:1/db"
    written = yaml.safe_dump(url, default_style='"', width=1e9).strip()
    text = STUDY.format(url=written, password=PASSWORD).replace(
        "broken.py:Broken", "adam"
    )
    (tmp_path / "hidden.yaml").write_text(text, encoding="utf-8")
    status, output = printed(tmp_path, "run", "hidden.yaml", *options)
    assert status == 2, output
    assert "postgresql+psycopg2://me:***@127.0.0.1:1/db" in output
    assert not seen(output)
    assert not (tmp_path / "reports").exists()
