"""Counts the words of a folder's files, one background job per file, and checks the result.

    find      the files, before anything begins
    enqueue   a job for each: from here on, workers run them
    wait      until the queue says that all are done
    check     against a plain loop, without any jobs

The job is in jobs.py, what it does in words.py. They run in a temporary folder, which is the
application's for as long as this takes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import checking
import jobs
import printing
import words

import queuekit
import queuekit.status

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
LEFT_OUT = (".git", ".venv")

#: So many jobs are enqueued at once, in one transaction.
BATCH = 1000


class DemoError(Exception):
    """The demonstration cannot go on."""


def main() -> int:
    printing.print_whatever_comes()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: sys.exit(128 + number))
    try:
        return demonstrate(_folder())
    except DemoError as error:
        printing.say(f"bin/demo: {error}")
        return 1
    except KeyboardInterrupt:
        printing.say("\nbin/demo: interrupted")
        return 128 + signal.SIGINT


def demonstrate(folder: Path) -> int:
    """Everything, as an exit status: 1 when a job failed or the totals differ."""
    paths = find_files(folder)
    print(f"{printing.count(len(paths), 'file')} in {printing.printable(str(folder))}", flush=True)
    if not paths:
        print("Nothing to do.")
        return 0
    with application():
        words.create_table()
        with supervisor() as process:
            began = time.monotonic()
            enqueue(paths)
            wait(process, len(paths))
            print(f"{printing.count(len(paths), 'job')} in {time.monotonic() - began:.2f} s")
        has_failed = report_failed()
        is_same = checking.check(paths)
    return 0 if is_same and not has_failed else 1


def find_files(folder: Path) -> list[str]:
    """The regular files below a folder. Symbolic links are left alone: they may lead in circles."""
    paths = []
    for parent, folders, names in os.walk(folder, onerror=_say_unreadable):
        folders[:] = sorted(name for name in folders if name not in LEFT_OUT)
        paths += [str(Path(parent, name)) for name in sorted(names) if name not in LEFT_OUT]
    return [path for path in paths if _is_regular(path)]


@contextmanager
def application() -> Iterator[None]:
    """A temporary folder with the jobs and the configuration. The queue's file is in it, too."""
    for name in [name for name in os.environ if name.startswith("QUEUEKIT_")]:
        del os.environ[name]  # whoever runs this may have a queue of their own
    with tempfile.TemporaryDirectory(prefix="queuekit-demo-") as folder:
        for name in ("jobs.py", "words.py"):
            shutil.copy(HERE / name, folder)
        shutil.copytree(HERE / "config", Path(folder, "config"))
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir("/")


@contextmanager
def supervisor() -> Iterator[subprocess.Popen[bytes]]:
    """`bin/jobs`, as long as it is needed. On TERM it lets the jobs that run finish."""
    with Path("jobs.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "queuekit", "start"], stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()
    if process.returncode != 0:
        raise DemoError(_last_words(process))


def enqueue(paths: Sequence[str]) -> None:
    for start in range(0, len(paths), BATCH):
        batch = paths[start : start + BATCH]
        queuekit.enqueue_all(jobs.count_words.bind(path) for path in batch)


def wait(process: subprocess.Popen[bytes], total: int) -> None:
    """Return when every job has finished or failed."""
    progress = printing.Progress(total)
    done = 0
    while done < total:
        counts = queuekit.status.gather().jobs
        done = counts["finished"] + counts["failed"]
        progress.show(done)
        if done < total and process.poll() is not None:
            raise DemoError(_last_words(process))
        time.sleep(0.05)


def report_failed() -> bool:
    """Name the jobs that failed. Whether there are any."""
    newest = queuekit.failed.list(limit=printing.SHOWN)
    lines = [f"{job.class_name} {job.arguments}: {job.error.message}" for job in newest]
    printing.name("failed", lines, total=queuekit.failed.count())
    return bool(newest)


def _folder() -> Path:
    parser = argparse.ArgumentParser(prog="bin/demo", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=REPOSITORY)
    folder: Path = parser.parse_args().folder
    if not folder.is_dir():
        parser.error(f"{printing.printable(str(folder))} is not a folder")
    return folder.resolve()


def _is_regular(path: str) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False  # gone since its folder was read


def _say_unreadable(error: OSError) -> None:
    printing.say(f"left out: {printing.printable(str(error.filename))}: {error.strerror}")


def _last_words(process: subprocess.Popen[bytes]) -> str:
    log = Path("jobs.log").read_text(errors="replace")
    return f"the supervisor ended with status {process.returncode}:\n{log[-4000:].strip()}"


if __name__ == "__main__":
    sys.exit(main())
