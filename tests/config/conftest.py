"""An application folder, and a way to load a text as its configuration."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from queuekit.config import Configuration, load
from tests.config import Load


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty application folder, which is the current folder."""
    (tmp_path / "config").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def load_text(application: Path) -> Load:
    """Loads a text as config/queue.yml, with an environment of its own."""

    def load_text(
        text: str | bytes, *, environ: Mapping[str, str] | None = None, **options: Any
    ) -> Configuration:
        content = dedent(text).encode() if isinstance(text, str) else text
        (application / "config/queue.yml").write_bytes(content)
        return load(environ=environ or {}, **options)

    return load_text
