"""Files of a user's own, written and forgotten again by tests."""

import sys
import textwrap
from pathlib import Path


def forget_own_modules(monkeypatch):
    """Leave Python's path and modules as they are, whatever the test loads."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if "/pytest-" in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def write(folder: Path, **files: str) -> None:
    """Write files; `a__b` is ``a/b.py``, `a__init` is ``a/__init__.py``."""
    for name, text in files.items():
        parts = ["__init__" if part == "init" else part for part in name.split("__")]
        path = folder.joinpath(*parts).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
