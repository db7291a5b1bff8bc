"""A machine that systemd has booted: pid 1 in namespaces of its own, over a copy of this system.

The copy is an overlay on a file system in memory, so that nothing is written outside of it. Of the
kernel it gets a cgroup of its own; the kernel's settings are read-only for it. Its only unit is the
service under test, and what that needs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

CHECKOUT = Path(__file__).resolve().parents[2]

#: Units that would look after a real machine: its hardware, its kernel, its file systems.
MASKED = (
    *("systemd-sysctl", "systemd-modules-load", "systemd-remount-fs", "systemd-random-seed"),
    *("systemd-udevd", "systemd-udev-trigger", "systemd-tmpfiles-setup-dev"),
    *("systemd-update-utmp", "systemd-journal-flush"),
)

#: $1 is a folder to work in, $2 a script that puts the application into the copy, $3 its folder.
BOOT = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
cd "$1/root"
mount -t proc proc proc
mount --bind proc/sys proc/sys && mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t tmpfs tmpfs sys/fs/cgroup && mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
for device in null zero full random urandom tty; do
    touch dev/$device && mount --bind /dev/$device dev/$device
done
mknod dev/console c 1 3
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
rm -rf etc/systemd/system var/log/journal
mkdir -p etc/systemd/system
. "$2"
exec chroot . /usr/bin/env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
    /lib/systemd/systemd --system --unit=tested.target --log-target=journal --show-status=no
"""


class Machine:
    """Boots when entered and is gone when left. `install` is a shell script that is run in the
    root of the copy before systemd begins; it starts the unit `service` and waits for nothing."""

    def __init__(self, install: str, service: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="queuekit-machine-"))
        masks = [f"ln -s /dev/null etc/systemd/system/{name}.service" for name in MASKED]
        target = f"printf '[Unit]\\nWants={service}\\n' > etc/systemd/system/tested.target"
        (self._folder / "install").write_text("\n".join([*masks, target, install]))
        (self._folder / "boot").write_text(BOOT)
        (self._folder / "system").mkdir()
        self._cgroup = cgroup2() / f"queuekit-test-{os.getpid()}"
        self._booted: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._cgroup.mkdir()
        script = 'echo $$ > "$0/cgroup.procs" && exec unshare "$@"'
        namespaces = ("--mount", "--pid", "--fork", "--kill-child", "--uts", "--ipc", "--net")
        boot = ("bash", self._folder / "boot", self._folder / "system", self._folder / "install")
        with (self._folder / "log").open("wb") as log:
            self._booted = subprocess.Popen(
                ["sh", "-c", script, self._cgroup, *namespaces, "--cgroup", *boot],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_until(lambda: bool(self._systemd()) and self.run("true")[0] == 0, self.explain)
        return self

    def __exit__(self, *_: object) -> None:
        print(self.explain())  # which is shown with a test that failed
        assert self._booted is not None
        self._booted.kill()
        self._booted.wait()
        wait_until(lambda: "populated 0" in (self._cgroup / "cgroup.events").read_text())
        for folder, _, _ in os.walk(self._cgroup, topdown=False):
            Path(folder).rmdir()
        shutil.rmtree(self._folder)

    def run(self, *command: str) -> tuple[int, str]:
        """Run a command as root on the machine: its status, and what it printed."""
        ended = subprocess.run(
            ["nsenter", "-t", self._systemd(), "-a", "-r", "-w", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )
        return ended.returncode, ended.stdout

    def show(self, unit: str, name: str) -> str:
        """What systemd says about a unit."""
        return self.run("systemctl", "show", "--value", "-p", name, unit)[1].strip()

    def explain(self) -> str:
        """What has happened so far."""
        said = (self._folder / "log").read_text(errors="replace")
        journal = ("journalctl", "--no-pager", "--lines=60", "--output=cat")
        return said + (self.run(*journal)[1] if self._systemd() else "")

    def _systemd(self) -> str:
        """The pid of the machine's pid 1, seen from here; empty before systemd is it."""
        assert self._booted is not None
        pid = self._booted.pid
        try:
            child = Path(f"/proc/{pid}/task/{pid}/children").read_text().strip()
            is_booted = child and Path(f"/proc/{child}/comm").read_text() == "systemd\n"
        except FileNotFoundError:
            return ""
        return child if is_booted else ""


#: What PrivateTmp= gives the service its own of.
OWN_FOLDERS = ("/tmp", "/var/tmp")


def why_not() -> str:
    """Why no machine can be booted here; nothing when it can."""
    if not Path("/lib/systemd/systemd").exists():
        return "systemd is not installed"
    if os.geteuid() != 0 or not cgroup2().is_dir() or not os.access(cgroup2(), os.W_OK):
        return "booting systemd takes root and a cgroup of its own"
    if any(
        path.is_relative_to(own) for path in (CHECKOUT, Path(sys.prefix)) for own in OWN_FOLDERS
    ):
        return (
            "the checkout or its .venv is below a folder of which the service gets one of its own"
        )
    here = Path("/").stat().st_dev
    if any(path.stat().st_dev != here for path in (CHECKOUT, Path(sys.base_prefix))):
        return "the checkout or Python is on another file system than /"
    attempt = (
        "mount -t tmpfs tmpfs /mnt && mkdir /mnt/upper /mnt/work && "
        "mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt"
    )
    namespaces = ("--mount", "--pid", "--fork", "--uts", "--ipc", "--net", "--cgroup")
    tried = subprocess.run(["unshare", *namespaces, "sh", "-c", attempt], capture_output=True)
    return f"this machine does not allow it: {tried.stderr.decode()}" if tried.returncode else ""


def cgroup2() -> Path:
    """Where the unified hierarchy is mounted."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    return Path(next((mount[1] for mount in mounts if mount[2] == "cgroup2"), "/nonexistent"))


def wait_until(condition: Callable[[], bool], explain: Callable[[], str] = str) -> None:
    deadline = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < deadline, f"it did not happen in 90 seconds\n{explain()}"
        time.sleep(0.1)
