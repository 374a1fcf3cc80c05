"""What we rely on of Optuna that it does not promise: a new one is checked here."""

import ast
import importlib
from pathlib import Path

import optuna
import pytest
import sqlalchemy
from optuna.storages import RDBStorage

import hpo_vs_adapt

ATTRIBUTES = {"key", "value_json"}
COLUMNS = {
    "StudyModel": {"study_id", "study_name"},
    "StudyUserAttributeModel": {"study_id", *ATTRIBUTES},
    "StudySystemAttributeModel": {"study_id", *ATTRIBUTES},
    "TrialModel": {
        "trial_id",
        "number",
        "study_id",
        "state",
        "datetime_start",
        "datetime_complete",
    },
    "TrialParamModel": {"trial_id", "param_name", "param_value", "distribution_json"},
    "TrialValueModel": {"trial_id", "objective", "value", "value_type"},
    "TrialIntermediateValueModel": {
        "trial_id",
        "step",
        "intermediate_value",
        "intermediate_value_type",
    },
    "TrialUserAttributeModel": {"trial_id", *ATTRIBUTES},
    "TrialSystemAttributeModel": {"trial_id", *ATTRIBUTES},
}
"""Classes of tables that we write, and the columns that we give."""

FUNCTIONS = [
    ("TrialValueModel", "value_to_stored_repr"),
    ("TrialIntermediateValueModel", "intermediate_value_to_stored_repr"),
]

OTHERWISE = f"Optuna {optuna.__version__} keeps its studies otherwise than we do"


def model(name):
    """Return a class of Optuna's tables."""
    try:
        found = importlib.import_module("optuna.storages._rdb.models")
    except ImportError as error:
        pytest.fail(f"{OTHERWISE}: {error}.")
    assert hasattr(found, name), f"{OTHERWISE}: there is no {name}."
    return getattr(found, name)


@pytest.fixture
def tables(tmp_path):
    """The tables of a new database: their columns, by the table's name."""
    storage = RDBStorage(f"sqlite:///{tmp_path}/optuna.db")
    inspector = sqlalchemy.inspect(storage.engine)
    yield {name: inspector.get_columns(name) for name in inspector.get_table_names()}
    storage.engine.dispose()


@pytest.mark.parametrize("name", COLUMNS)
def test_optuna_still_has_the_columns_that_we_write_and_wants_no_others(tables, name):
    columns = tables[model(name).__tablename__]
    missing = COLUMNS[name] - {column["name"] for column in columns}
    assert not missing, f"{OTHERWISE}: the table of {name} lacks {missing}."
    wanted = {
        column["name"]
        for column in columns
        if not (column["nullable"] or column["default"] or column["primary_key"])
    }
    # A study is made by Optuna itself; we only give it another name.
    more = set() if name == "StudyModel" else wanted - COLUMNS[name]
    assert not more, f"{OTHERWISE}: a row of {name} needs {more}."


@pytest.mark.parametrize(("name", "function"), FUNCTIONS)
def test_optuna_still_has_the_functions_that_we_call(name, function):
    has = callable(getattr(model(name), function, None))
    assert has, f"{OTHERWISE}: {name} has no {function}."


def test_optuna_still_says_the_ids_of_its_studies(tmp_path):
    storage = RDBStorage(f"sqlite:///{tmp_path}/optuna.db")
    study = optuna.create_study(storage=storage, study_name="one")
    (summary,) = storage.get_all_studies()
    wanted = storage.get_study_id_from_name("one")
    storage.engine.dispose()
    for owner in (study, summary):
        known = getattr(owner, "_study_id", None)
        kind = type(owner).__name__
        assert known == wanted, f"{OTHERWISE}: a {kind} has no `_study_id`."


def test_one_module_alone_rests_on_what_optuna_does_not_promise():
    package = Path(hpo_vs_adapt.__file__).parent
    private = {
        f"{file.relative_to(package)}: {node.module}"
        for file in package.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith("optuna.")
        and "._" in (node.module or "")
    }
    assert private == {"observers/dashboard/rows.py: optuna.storages._rdb"}
