"""Drivers that are missing, and servers that are too old: each is told by name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from queuekit import MissingDriverError, UnsupportedServerError
from queuekit.database import mysql
from queuekit.database.url import parse

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("url", "module", "extra"),
    [
        ("postgresql://me:tiger@host/app", "psycopg", "queuekit[postgresql]"),
        ("mysql://me:tiger@host/app", "pymysql", "queuekit[mysql]"),
    ],
)
def test_a_missing_driver_names_the_extra_that_brings_it(url: str, module: str, extra: str) -> None:
    program = f"""
import sys
sys.modules[{module!r}] = None  # importing it raises ImportError
import queuekit
from tests.dialects.sample_jobs import note
queuekit.configure(database_url={url!r})
try:
    note.enqueue()
except queuekit.EnqueueError as error:
    print(type(error.__cause__).__name__, error)
"""
    told = subprocess.check_output([sys.executable, "-c", program], text=True, cwd=ROOT)

    assert MissingDriverError.__name__ in told
    assert f"pip install '{extra}'" in told


def test_without_servers_no_driver_of_one_is_imported(tmp_path: Path) -> None:
    program = f"""
import sys, queuekit
from tests.dialects.sample_jobs import note
queuekit.configure(database_url="sqlite:///{tmp_path}/queue.sqlite3")
note.enqueue()
print(sorted(set(sys.modules) & {{"psycopg", "psycopg2", "pymysql", "MySQLdb"}}))
"""
    assert subprocess.check_output([sys.executable, "-c", program], text=True, cwd=ROOT) == "[]\n"


@pytest.mark.parametrize(
    ("version", "usable"),
    [
        ("8.4.0", True),
        ("9.7.4", True),
        ("8.0.36-0ubuntu0.22.04.1", True),
        ("8.0.4-rc-log", True),
        ("8.0.3-rc", False),
        ("5.7.44-log", False),
        ("5.5.5-10.11.6-MariaDB-0+deb12u1", True),
        ("10.6.0-MariaDB", True),
        ("11.4.2-MariaDB-ubu2404", True),
        ("5.5.5-10.5.23-MariaDB", False),
        ("5.5.68-MariaDB", False),
        ("10.5.29-MariaDB-log", False),
    ],
)
def test_a_server_too_old_for_a_queue_is_told_by_what_it_says(version: str, usable: bool) -> None:
    url = parse("mysql://me:tiger@host/app")
    if usable:
        mysql._refuse_old(version, url)
    else:
        with pytest.raises(UnsupportedServerError, match="queuekit needs M") as refused:
            mysql._refuse_old(version, url)
        assert "tiger" not in str(refused.value)
