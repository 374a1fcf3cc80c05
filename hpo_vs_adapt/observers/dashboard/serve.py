"""Serving optuna-dashboard on the loopback interface."""

from __future__ import annotations

import contextlib
import importlib
import json
import threading
import warnings
from collections.abc import Iterable
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from typing_extensions import override

from hpo_vs_adapt.observers.dashboard.artifacts import RecordArtifacts
from hpo_vs_adapt.observers.dashboard.storage import open_storage
from hpo_vs_adapt.records.store import RecordStore
from hpo_vs_adapt.study import Study
from hpo_vs_adapt.wording import Problem, counted

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["HOST", "DashboardProblem", "open_dashboard", "open_study_dashboard"]

HOST = "127.0.0.1"
"""The dashboard can delete studies and knows no passwords: it stays on this machine."""


class DashboardProblem(Problem):
    """The dashboard cannot be served; the message says what to do."""


_PATIENCE = 5.0  # seconds for what is being written as the server ends


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True  # a browser that keeps a connection must not keep us alive

    @override
    def server_close(self) -> None:
        super().server_close()
        app = self.get_app()
        # A note that somebody has just saved would end with its thread.
        if isinstance(app, _Application) and app.changing.acquire(timeout=_PATIENCE):
            app.changing.release()


class _QuietHandler(WSGIRequestHandler):
    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Leave requests out of the terminal."""


def open_study_dashboard(
    study: Study, port: int = 0, out: Path | None = None
) -> WSGIServer:
    """Return a server of a study's dashboard that listens but does not answer yet.

    Its list shows this study's Optuna studies alone. Trials link to their curves, and
    notes to the report.

    Args:
        study: Whose Optuna studies are shown.
        port: As in `open_dashboard`.
        out: Folder of the report; None: where `run` writes it by itself.

    Raises:
        DashboardProblem: As in `open_dashboard`.
        StorageProblem: If records or Optuna studies cannot be opened.
    """
    folder = out or Path("reports") / study.name
    records = RecordStore(study.storage.records, writable=False)
    artifacts = RecordArtifacts(records, study.name, folder / "index.html")
    return open_dashboard(study.storage.optuna, port, study.name, artifacts)


def open_dashboard(
    url: str,
    port: int = 0,
    study: str | None = None,
    artifacts: RecordArtifacts | None = None,
) -> WSGIServer:
    """Return a server of the dashboard that listens but does not answer yet.

    Args:
        url: Of the Optuna studies.
        port: To listen on; 0: a free one, found in `server_port`.
        study: Name of the study file whose Optuna studies are listed; None: all.
        artifacts: What trials and notes link to, or None.

    Raises:
        DashboardProblem: If it is not installed, or the port is taken.
        StorageProblem: If the studies cannot be opened.
    """
    try:
        dashboard = importlib.import_module("optuna_dashboard")
    except ModuleNotFoundError as error:
        raise DashboardProblem(
            f"The dashboard needs the package {error.name!r}. Install it with: "
            "pip install 'hpo-vs-adapt[dashboard]'"
        ) from None
    # Of importances of few trials, at each look at a study: no news in a terminal.
    warnings.filterwarnings("ignore", "Some regimes for parameter", UserWarning)
    app = _Application(dashboard.wsgi(open_storage(url), artifacts), study)
    try:
        return make_server(HOST, port, app, _Server, _QuietHandler)
    except OSError as error:
        raise DashboardProblem(
            f"`--port` must be free; got {port}: {error.strerror}."
        ) from None


class _Application:
    """The dashboard, with a list that says what each Optuna study has reached.

    Its list of studies has room for names alone; so what there is to say goes behind
    them, where its search finds it too.

    Args:
        app: The dashboard.
        study: As in `open_dashboard`.

    Attributes:
        changing: Held while somebody changes something: one at a time.
    """

    def __init__(self, app: WSGIApplication, study: str | None) -> None:
        self.changing = threading.Lock()
        self._app = app
        self._prefix = "" if study is None else f"{study}/"

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer a request."""
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"].rstrip("/")
        if path.startswith("/api/artifacts") and method != "GET":
            status = "405 Method Not Allowed"
            reason = "Curves and reports come from the study's runs alone."
            return _answer(start_response, status, {"reason": reason})
        if method != "GET":
            with self.changing:
                return self._app(environ, start_response)
        if path != "/api/studies":
            return self._app(environ, start_response)
        statuses: list[str] = []

        def keep(status: str, *_: Any) -> Any:
            statuses.append(status)

        body = json.loads(b"".join(self._app(environ, keep)))
        if "study_summaries" in body:
            body["study_summaries"] = [
                {**one, "study_name": _name_in_list(one)}
                for one in body["study_summaries"]
                if one["study_name"].startswith(self._prefix)
            ]
        return _answer(start_response, statuses[-1], body)


def _answer(
    start_response: StartResponse, status: str, body: dict[str, Any]
) -> list[bytes]:
    content = json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(content))}
    start_response(status, list(headers.items()))
    return [content]


def _name_in_list(study: dict[str, Any]) -> str:
    """Return the name of an Optuna study and what its trials have reached."""
    attributes = {one["key"]: one["value"] for one in study["user_attrs"]}
    name = str(study["study_name"])
    if not {"best_value", "hits", "trials"} <= attributes.keys():
        return name
    hits = counted(int(attributes["hits"]), "hit")
    parts = [f"{attributes['trials']} trials", hits]
    with contextlib.suppress(ValueError):  # no trial has a value yet
        parts.insert(0, f"best {float(attributes['best_value']):.4g}")
    return f"{name} ({', '.join(parts)})"
