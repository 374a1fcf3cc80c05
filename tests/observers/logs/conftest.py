from __future__ import annotations

import pytest

from tests.running import start
from tests.observers.logs.examples import tiny


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A folder in which the study was run and logged, and what the command printed."""
    folder = tmp_path_factory.mktemp("finished")
    tiny(folder)
    process = start(
        folder,
        *("run", "study.yaml", "--log", "tensorboard", "--log", "mlflow"),
        MLFLOW_TRACKING_URI="",
    )
    out, err = process.communicate()
    assert process.returncode == 1, err  # for the broken arm
    return folder, out, err


@pytest.fixture
def again(finished, tmp_path, monkeypatch):
    """The same study and records, without any logs."""
    folder = finished[0]
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    study = tiny(tmp_path)
    (tmp_path / "runs").symlink_to(folder / "runs")
    return study
