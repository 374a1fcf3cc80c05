"""What the dashboard offers to download: curves of trials, and the report.

Nothing is written for it. An Optuna study or trial only names the artifact; the curve
is made from the trial's record when somebody opens it.
"""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import BinaryIO, final

from hpo_vs_adapt.records.store import RecordStore
from hpo_vs_adapt.wording import mask_uri

__all__ = ["RecordArtifacts", "curve_artifact", "report_artifact", "report_id"]


def curve_artifact(key: str) -> dict[str, str]:
    """Return the system attribute with which a trial names its curve.

    Args:
        key: Of the trial's record.
    """
    return _named(key, f"curve-{key[:8]}.csv", "text/csv")


def report_artifact(study: str) -> dict[str, str]:
    """Return the system attribute with which an Optuna study names the report."""
    return _named(report_id(study), "index.html", "text/html")


def report_id(study: str) -> str:
    """Return the artifact id of a study's report: hexadecimal, as ids must be."""
    return hashlib.blake2b(f"report of {study}".encode(), digest_size=16).hexdigest()


def _named(artifact_id: str, filename: str, mimetype: str) -> dict[str, str]:
    meta = {
        "artifact_id": artifact_id,
        "filename": filename,
        "mimetype": mimetype,
        "encoding": None,
    }
    return {f"artifacts:{artifact_id}": json.dumps(meta)}  # as Optuna keeps them


@final
class RecordArtifacts:
    """An artifact store of Optuna's kind that is made of what a study has left.

    Args:
        records: Where the trials' records are.
        study: Name of the study.
        report: The report's page; it need not exist yet.
    """

    def __init__(self, records: RecordStore, study: str, report: Path) -> None:
        self._records = records
        self._report_id = report_id(study)
        self._report = report

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """Return the page of the report, or the curve of a record as CSV.

        What is not there (any more) is a sentence that says so.
        """
        if artifact_id == self._report_id:
            if self._report.is_file():
                return self._report.open("rb")
            return _sentence(f"There is no report at {self._report} yet.")
        record = self._records.get(artifact_id)
        if record is None:
            place = mask_uri(self._records.location)
            return _sentence(f"There is no record {artifact_id} in {place}.")
        return io.BytesIO(record.curve.to_csv(index=False).encode())

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Refuse: records come from runs alone.

        Raises:
            io.UnsupportedOperation: Always.
        """
        raise io.UnsupportedOperation("Artifacts of a study cannot be added here.")

    def remove(self, artifact_id: str) -> None:
        """Refuse: somebody else's report may rest on the record.

        Raises:
            io.UnsupportedOperation: Always.
        """
        raise io.UnsupportedOperation("Artifacts of a study cannot be removed here.")


def _sentence(text: str) -> BinaryIO:
    return io.BytesIO(text.encode())
