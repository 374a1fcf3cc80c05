"""Serving optuna-dashboard on the loopback interface."""

from __future__ import annotations

import importlib
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from typing_extensions import override

from hpo_vs_adapt.optuna_storage import open_storage

__all__ = ["HOST", "DashboardProblem", "open_dashboard"]

HOST = "127.0.0.1"
"""The dashboard can delete studies and knows no passwords: it stays on this machine."""


class DashboardProblem(RuntimeError):
    """The dashboard cannot be served; the message says what to do."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True  # a browser that keeps a connection must not keep us alive


class _QuietHandler(WSGIRequestHandler):
    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Leave requests out of the terminal."""


def open_dashboard(url: str, port: int = 0) -> WSGIServer:
    """Return a server of the dashboard that listens but does not answer yet.

    Args:
        url: Of the Optuna studies.
        port: To listen on; 0: a free one, found in `server_port`.

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
    app = dashboard.wsgi(open_storage(url))
    try:
        return make_server(HOST, port, app, _Server, _QuietHandler)
    except OSError as error:
        raise DashboardProblem(
            f"`--port` must be free; got {port}: {error.strerror}."
        ) from None
