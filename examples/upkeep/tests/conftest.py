"""What the tests work with: a folder that has the application's configuration and no data yet."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import queuekit
from queuekit.testing import Jobs, in_memory

APPLICATION = Path(__file__).parents[1]

os.environ["QUEUEKIT_ENV"] = "production"


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("application")
    shutil.copytree(APPLICATION / "config", folder / "config")
    os.chdir(folder)
    queuekit.configure()
    return folder


@pytest.fixture
def jobs(folder: Path) -> Iterator[Jobs]:
    with in_memory() as jobs:
        yield jobs
