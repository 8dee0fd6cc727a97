"""A PostgreSQL server of one's own that may be killed and started again on the same files."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from tests import servers
from tests.keeper import group_of

WITHIN_S = 30


class Cluster:
    """Made in a folder, served on a free loopback port, as durable as PostgreSQL is by itself."""

    def __init__(self) -> None:
        binaries = servers.find_postgres()
        if binaries is None:
            raise servers.NoServersError("There is no PostgreSQL.")
        self.user = servers.INSTEAD_OF_ROOT if os.geteuid() == 0 else ""
        self.folder = servers._new_folder("crash", servers._temporary())
        if self.user:
            binaries = servers._reachable(binaries, self.folder, self.user)
        servers._make_cluster(binaries, self.folder, self.user)
        self.binaries, self.port = binaries, servers._free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Cluster:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> float:
        """Serves; tried again while what was killed still holds its memory. Seconds it took."""
        began = time.monotonic()
        while time.monotonic() - began < WITHIN_S:
            self.process = self._started()
            while self.process.poll() is None and time.monotonic() - began < WITHIN_S:
                if servers._answers_postgres(self.url):
                    return time.monotonic() - began
                time.sleep(0.02)
            time.sleep(0.1)
        raise servers.DidNotStartError(self.log.read_text(errors="replace")[-500:])

    def kill(self, *, only_the_first: bool = False) -> None:
        """SIGKILL, to the postmaster alone or to all of its processes at once."""
        if self.process is None:
            return
        if only_the_first:
            self.process.send_signal(signal.SIGKILL)
        else:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def _started(self) -> subprocess.Popen[bytes]:
        place = ["-D", str(self.folder / "data"), "-h", "127.0.0.1", "-p", str(self.port)]
        with self.log.open("ab") as output:
            return subprocess.Popen(
                [str(self.binaries / "postgres"), *place, "-k", "", "-cjit=off"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                user=self.user or None,
                group=group_of(self.user),
                extra_groups=[] if self.user else None,
                start_new_session=True,
                cwd=self.folder,
            )
