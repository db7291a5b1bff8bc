"""contrib/'s Dockerfile, Procfile and Kamal file, and the supervisor as pid 1 of a container."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import yaml

from queuekit.config import Configuration
from tests.deploying.conftest import CHECKOUT, Deployed, skip_unless_namespaces, wait_until
from tests.deploying.test_service import QUITTING

CONTRIB = CHECKOUT / "contrib"


def test_the_image_gives_pid_1_to_the_supervisor() -> None:
    lines = (CONTRIB / "Dockerfile").read_text().splitlines()
    instructions = [line.partition(" ") for line in lines if line[:1].isupper()]
    commands = [argument for name, _, argument in instructions if name == "CMD"]
    assert [json.loads(command) for command in commands] == [["bin/jobs"]]
    names = {name for name, _, _ in instructions}
    assert "ENTRYPOINT" not in names
    assert {"USER", "STOPSIGNAL"} <= names


def test_the_procfile_runs_jobs_and_prepares_before_a_release() -> None:
    lines = (CONTRIB / "Procfile").read_text().splitlines()
    processes = dict(line.split(": ", 1) for line in lines if not line.startswith("#"))
    assert (processes["jobs"], processes["release"]) == ("bin/jobs", "bin/jobs prepare")


def test_kamal_waits_longer_than_the_supervisor_does() -> None:
    deploy = yaml.safe_load((CONTRIB / "kamal-deploy.yml").read_text())
    assert deploy["servers"]["job"]["cmd"] == "bin/jobs"
    assert deploy["drain_timeout"] > Configuration().shutdown_timeout + QUITTING


def test_as_pid_1_it_reaps_what_jobs_leave_behind_and_obeys_term(deployed: Deployed) -> None:
    container = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
    skip_unless_namespaces(*container[1:])
    file = deployed.folder / "tmp/orphan"
    deployed.enqueue("jobs.leave_an_orphan", str(file))
    with deployed.running(*container, "bin/jobs") as outside:
        wait_until(lambda: deployed.count("finished") == 1)
        inside = child_of(outside.pid)
        orphan = Path(f"/proc/{inside}/root/proc/{int(file.read_text())}")
        wait_until(lambda: not orphan.exists())
        assert Path(f"/proc/{inside}/root/proc/1").exists()
        os.kill(inside, signal.SIGTERM)
        assert outside.wait(30) == 0


def child_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text())
