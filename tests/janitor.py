"""Places and processes of throwaway servers, and their removal whatever happens to their maker."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import weakref
from pathlib import Path

UNPRIVILEGED = "nobody"
"""Whom root starts servers as: PostgreSQL, MariaDB and MySQL refuse to run as root."""

SOCKET_PATH_LIMIT = 60
"""Unix socket paths end at about 104 bytes; what a server adds to its folder fits in the rest."""

AT_THE_END = """
trap '' HUP INT TERM
cat > /dev/null
if pid=$(cat "$1/running" 2> /dev/null); then
    kill -QUIT "$pid"
    waited=0
    while kill -0 "$pid" && [ "$waited" -lt 50 ]; do sleep 0.1; waited=$((waited + 1)); done
    kill -KILL "$pid"
fi 2> /dev/null
rm -rf "$1" || { sleep 1; rm -rf "$1"; }  # again: what was just killed may have been writing
"""


class Janitor:
    """A shell that waits for the end of its input, ends the server, and removes its folder.

    Its input ends on `dismiss`, and with the interpreter: also when that is killed, where no exit
    handler runs. QUIT comes first because it lets PostgreSQL take its child processes along.
    """

    def __init__(self, folder: Path) -> None:
        self._note = folder / "running"
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", AT_THE_END, "janitor", str(folder)],
            cwd="/",
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        janitors.add(self)

    def watch(self, pid: int | None) -> None:
        """This process is the one to end; None: there is none."""
        if pid is None:
            self._note.unlink(missing_ok=True)
        else:
            self._note.write_text(f"{pid}\n")

    def dismiss(self) -> None:
        """Let it do its work now, and wait for it."""
        self.let_go()
        self._shell.wait()

    def let_go(self) -> None:
        assert self._shell.stdin is not None
        self._shell.stdin.close()


janitors: weakref.WeakSet[Janitor] = weakref.WeakSet()


def _let_go_in_forked_child() -> None:
    # A forked child that lives on would keep the input of its parent's janitors open.
    for janitor in list(janitors):
        janitor.let_go()


os.register_at_fork(after_in_child=_let_go_in_forked_child)


def unprivileged_user() -> str | None:
    """Whom to start a server as; None: as whom we are."""
    return UNPRIVILEGED if os.geteuid() == 0 else None


def new_folder(*, on_disk: bool) -> Path:
    """An empty folder that belongs to the unprivileged user, who can also get there.

    `on_disk` prefers /var/tmp, because /tmp may be memory, where fsync costs nothing.
    """
    usual = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]
    for place in reversed(usual) if on_disk else usual:
        if len(str(place)) <= SOCKET_PATH_LIMIT and is_open_to_all(place):
            folder = Path(tempfile.mkdtemp(prefix="queuekit-", dir=place))
            user = unprivileged_user()
            if user is not None:
                shutil.chown(folder, user)
            return folder
    raise OSError(f"no temporary folder that {UNPRIVILEGED} can get to: {usual}")


def is_open_to_all(place: Path) -> bool:
    """Whether every user may pass through the folder and those above it."""
    return place.is_dir() and all(f.stat().st_mode & 0o001 for f in [place, *place.parents])


def free_port() -> int:
    """A free loopback port, below those that the kernel gives to outgoing connections.

    One of those could be taken while a server is down, even by a client that tries to reach it.
    """
    while True:
        port = random.randrange(20_000, 30_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def which(program: str) -> Path | None:
    """Find a program on the PATH or where servers are, which is not on every user's PATH."""
    found = shutil.which(program, path=search_path())
    return Path(found).resolve() if found else None


def search_path() -> str:
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin"])


def kill_family(pid: int) -> None:
    """SIGKILL a process and its children, and return when the children have ended.

    PostgreSQL's children leave its process group, so they are looked up while it stands still.
    """
    os.kill(pid, signal.SIGSTOP)
    family = [pid, *children(pid)]
    for member in family:
        with contextlib.suppress(ProcessLookupError):
            os.kill(member, signal.SIGKILL)
    while any(state_and_parent(child) for child in family[1:]):
        time.sleep(0.005)


def children(pid: int) -> list[int]:
    """The living children of a process, as far as /proc tells; elsewhere they end by themselves."""
    everyone = [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]
    return [other for other in everyone if state_and_parent(other)[1:] == (pid,)]


def state_and_parent(pid: int) -> tuple[str, int] | tuple[()]:
    """State and parent of a living process; empty for one that ended."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except (FileNotFoundError, ProcessLookupError):
        return ()
    return () if state in "ZX" else (state, int(parent))
