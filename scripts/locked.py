"""Runs a command while it holds a lock file: `python scripts/locked.py FILE WAITING COMMAND...`.

The lock is the kernel's (macOS has the call, though not the command `flock`), so it ends with the last process that holds it,
however that ends. The command holds it as descriptor 9; a child that may outlive it has to close that.
"""

import fcntl
import os
import sys

# One that a shell can name: bash 3, which macOS has, cannot ask for a free one.
DESCRIPTOR = 9


def lock(path: str, waiting: str) -> int:
    """The descriptor of the file, locked. Where another process holds it, `waiting` is printed first."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.stderr.write(f"{waiting}\n")
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


if __name__ == "__main__":
    path, waiting, *command = sys.argv[1:]
    os.dup2(lock(path, waiting), DESCRIPTOR, inheritable=True)
    os.execvp(command[0], command)  # noqa: S606 - no shell is wanted
