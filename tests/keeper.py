"""Runs one server for exactly as long as the test run lives: `keeper.py <folder> <user> <command>`.

Told to stop (SIGTERM), or when the test run has ended in whatever way (its end of our standard
input is then closed, even by a kill), it stops the server and deletes the folder. A server that
ends by itself leaves the tail of its log on standard error.
"""

import pwd
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

LOOK_AGAIN_S = 0.2
STOP_WITHIN_S = 10


def main(folder: Path, user: str, command: list[str]) -> int:
    """Start the server as that user (empty: as ourselves), wait for the end, and clean up."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    log = folder / "server.log"
    with log.open("wb") as output:
        server = start(command, user, output.fileno())
    try:
        wait_for_the_end(server)
        sys.stderr.write("" if server.poll() is None else log.read_text(errors="replace")[-500:])
    finally:
        stop(server)
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def start(command: list[str], user: str, output: int) -> subprocess.Popen[bytes]:
    """The server, with nothing of ours but its log."""
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        user=user or None,
        group=group_of(user),
        extra_groups=[] if user else None,
    )


def group_of(user: str) -> int | None:
    """The group to run in: the user's, or unchanged for no user."""
    return pwd.getpwnam(user).pw_gid if user else None


def wait_for_the_end(server: subprocess.Popen[bytes]) -> None:
    """Return when the server has ended or the test run has closed our standard input."""
    while server.poll() is None and not select.select([sys.stdin], [], [], LOOK_AGAIN_S)[0]:
        pass


def stop(server: subprocess.Popen[bytes]) -> None:
    """Interrupt the server (a quick, orderly stop for both kinds); kill it if it lingers."""
    server.send_signal(signal.SIGINT)
    try:
        server.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
