"""Passwords and keys in URIs: none is shown, however a text spells it."""

import html
import json
import re
import shlex
from urllib.parse import quote, quote_plus

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st
from markupsafe import escape

from hpo_vs_adapt.study import Storage, Study
from hpo_vs_adapt.study.text import mask_text
from hpo_vs_adapt.wording import Problem, Secrets, mask_uri
from hpo_vs_adapt.wording.secrets import MASK, mask_uris

POSTGRES = "postgresql+psycopg2://me:{}@127.0.0.1:5999/db?password={}&options=-cx%3D1"
BUCKET = "s3://AKIDAKID:{}@bucket/runs?region=eu&secret_key={}&session_token={}"
TEMPLATES = (POSTGRES, BUCKET)

SPELLINGS = {
    "as it is": str,
    "percent-encoded": lambda text: quote(text, safe=""),
    "in small letters": lambda text: re.sub(
        "%..", lambda found: found[0].lower(), quote(text, safe="")
    ),
    "as a form": quote_plus,
    "repr": repr,
    "JSON": lambda text: json.dumps(text, ensure_ascii=False),
    "JSON in ASCII": json.dumps,
    "HTML": html.escape,
    "markup": lambda text: str(escape(text)),
    "shell": shlex.quote,
    "YAML": lambda text: yaml.safe_dump(text, default_style='"', width=1e9),
    "YAML in quotes": lambda text: text.replace("'", "''"),
    "JSON of repr": lambda text: json.dumps(repr(text)),
}


@st.composite
def passwords(draw, least=6):
    """Return passwords of any printable characters, not part of what stays."""
    chars = st.characters(codec="utf-8", exclude_categories=["C", "Z"])
    password = draw(
        st.text(
            st.one_of(chars, st.sampled_from("'\"\\%@:/ #&?={}[]")),
            min_size=least,
            max_size=24,
        ).map(str.strip)
    )
    assume(len(password) >= least)
    stays = [*TEMPLATES, *SPELLINGS, MASK * 9, "password is text storage records"]
    assume(not any(password in text for text in stays))
    return password


def spelt(password: str) -> set[str]:
    """Return how a password may be written, without the quotes around it."""
    written = {make(password) for make in SPELLINGS.values()}
    return {one.strip("\n").strip("'\"") for one in written} - {""}


def uri_with(template: str, password: str) -> str:
    return template.replace("{}", quote(password, safe=""))


@given(passwords(), st.sampled_from(TEMPLATES), st.sampled_from(list(SPELLINGS)))
def test_a_known_secret_is_hidden_in_every_spelling(password, template, name):
    uri, spelling = uri_with(template, password), SPELLINGS[name]
    text = f"Cannot open {spelling(uri)}; is {spelling(password)} right?"
    shown = Secrets(uri).hide(text)
    found = [one for one in spelt(password) if len(one) >= 6 and one in shown]
    assert not found
    assert shown.startswith("Cannot open ")
    assert shown.endswith(" right?")


@given(passwords(least=1), st.sampled_from(TEMPLATES))
def test_a_uri_is_shown_without_its_secrets_whatever_they_are(password, template):
    shown = mask_uri(uri_with(template, password))
    masked = template.replace("AKIDAKID:{}", MASK).replace("{}", MASK)
    assert shown == masked
    assert mask_uris(f"at {uri_with(template, password)} now") == f"at {masked} now"
    assert mask_uri(shown) == shown


@given(password=passwords().filter(lambda word: "?" not in word and "#" not in word))
def test_a_password_that_is_not_encoded_is_hidden_too(password):
    for uri in (f"postgresql://me:{password}@host/db", f"mysql://me:{password}@h/d"):
        assert password not in mask_uri(uri)
        assert password not in Secrets(uri).hide(f"got {uri!r}: {uri} ({password})")


STYLES = {
    "plain": {},
    "single": {"default_style": "'"},
    "double": {"default_style": '"'},
    "folded": {"default_style": ">"},
    "literal": {"default_style": "|"},
    "flow": {"default_flow_style": True},
    "narrow": {"default_style": '"', "width": 20},
    "ASCII": {"default_style": '"', "allow_unicode": False},
}


@given(passwords(), st.sampled_from(list(STYLES)))
def test_the_text_of_a_study_is_shown_without_secrets_in_any_style(password, style):
    uris = [uri_with(template, password) for template in TEMPLATES]
    study = {
        "name": "x",
        "seeds": [0, 1],
        "storage": {"records": uris[1], "optuna": uris[0]},
        "arms": [{"name": "a", "said": f"not {password} here"}],
    }
    text = yaml.safe_dump(study, sort_keys=False, **STYLES[style])
    comment = " ".join(f"# the password is {password}".split())
    text = f"{comment}\n{text}{comment}\n"
    shown = mask_text(text, Secrets(*uris))
    assert not [one for one in spelt(password) if len(one) >= 6 and one in shown]
    read = yaml.safe_load(shown)
    assert read["storage"] == {
        "records": mask_uri(uris[1]),
        "optuna": mask_uri(uris[0]),
    }
    assert (read["name"], str(read["seeds"])) == (
        "x",
        str(yaml.safe_load(text)["seeds"]),
    )
    assert shown.startswith("# A copy: passwords and keys are hidden")


LAYOUT = """\
# Before: postgresql://me:OLDSECRET@old/db
name: creds     # hunter2! it is
seeds: [0]
storage:
    optuna: &where 'postgresql://me:hunter2!@host/db'   # where it was
    records: *where
"""


def test_comments_layout_and_anchors_of_a_study_stay():
    shown = mask_text(LAYOUT, Secrets("postgresql://me:hunter2!@host/db"))
    first, rest = shown.split("\n", 1)
    assert first == "# A copy: passwords and keys are hidden, and stand here as ***"
    expected = LAYOUT.replace("hunter2!", MASK).replace("OLDSECRET", MASK)
    assert rest == expected


def test_a_text_without_secrets_stays_as_it_is():
    text = LAYOUT.replace(":hunter2!", "").replace(":OLDSECRET", "")
    assert mask_text(text, Secrets("postgresql://me@host/db", "runs")) == text


@pytest.mark.parametrize(
    "uri",
    [
        *("runs", "/data/runs", "file:///data/runs", "journal:runs/optuna.log"),
        *(
            "sqlite:///runs/optuna.db",
            "postgresql://me@host:5432/db",
            "s3://bucket/a@b",
        ),
        *("http://host:5000/a@b", "s3://b/r?endpoint_override=h:9&scheme=http", ""),
    ],
)
def test_a_uri_without_secrets_stays_as_it_is(uri):
    assert mask_uri(uri) == uri
    assert not Secrets(uri)
    assert Secrets(uri).hide(f"got {uri!r}") == f"got {uri!r}"


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("postgresql://me:p@ss/w?rd@h/d", "postgresql://me:***@h/d"),
        ("postgresql://:only@h/d", "postgresql://:***@h/d"),
        (
            "postgresql:///d?host=h&sslpassword=x",
            "postgresql:///d?host=h&sslpassword=***",
        ),
        ("postgresql:///d?pass%77ord=x", "postgresql:///d?pass%77ord=***"),
        ("s3://KEY:a/b+c@bucket/x", "s3://***@bucket/x"),
        (
            "s3://b/x?access_key=A&secret_key=B",
            "s3://b/x?access_key=***&secret_key=***",
        ),
        ("https://token@host/x", "https://***@host/x"),
        ("mssql+pyodbc:///?odbc_connect=PWD%3Dx", "mssql+pyodbc:///?odbc_connect=***"),
    ],
)
def test_secrets_are_found_wherever_a_uri_has_them(uri, shown):
    assert mask_uri(uri) == shown


def test_a_password_that_is_a_word_leaves_other_words_alone():
    secrets = Secrets("postgresql://me:momentum@host/db")
    assert secrets.hide("momentum, momentums, amomentum") == "***, momentums, amomentum"
    secrets = Secrets("postgresql://postgres:postgres@host/postgres")
    text = "no role postgres at postgresql://postgres:postgres@host/postgres"
    shown = "no role postgres at postgresql://postgres:***@host/postgres"
    assert secrets.hide(text) == shown


def test_a_password_that_names_a_key_leaves_a_study_readable():
    text = LAYOUT.replace("hunter2!", "storage")
    shown = mask_text(text, Secrets("postgresql://me:storage@host/db"))
    assert yaml.safe_load(shown)["storage"]["optuna"] == "postgresql://me:***@host/db"


def test_settings_that_a_driver_repeats_are_hidden():
    said = "bad dsn: host=h password=hunter2 token='a b', n_tokens=3"
    assert mask_uris(said) == "bad dsn: host=h password=*** token=***, n_tokens=3"


def test_problems_and_reprs_show_no_secrets():
    uri = uri_with(POSTGRES, "hunter2!")
    problem = Problem(f"{uri} cannot be opened.")
    assert "hunter2" not in f"{problem} {problem!r} {problem.args}"
    workloads, arms = ["sphere"], [{"name": "a", "optimizer": {"rule": "sgd"}}]
    study = Study.from_dict(
        {"name": "x", "workloads": workloads, "arms": arms, "storage": {"optuna": uri}}
    )
    assert study.storage.optuna == uri
    assert "hunter2" not in f"{study!r} {study.storage} {Storage('s3://a:hunter2@b')}"
    assert "hunter2" not in study.shown_text
