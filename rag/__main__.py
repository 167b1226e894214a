"""The entry point of `rag` and `python -m rag`: standard streams, Ctrl-C, and a fast exit."""

import os
import signal
import sys
from types import FrameType
from typing import NoReturn


class _Interruption:
    """A handler that remembers Ctrl-C: a native library may turn the KeyboardInterrupt into another error."""

    happened = False

    def __call__(self, _signal: int, _frame: FrameType | None) -> NoReturn:
        self.happened = True
        raise KeyboardInterrupt


def _open_closed_streams() -> None:
    """Connect closed standard streams to the null device.

    Python has None for a closed stream, and the next file that is opened gets its number. What a native library prints would
    then be written into a document or a connection.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # It gets the lowest free number, which is that of the closed stream.
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8"))


def run() -> None:
    """Run the command line and exit with its code at once: no thread is joined, and a second Ctrl-C is ignored."""
    _open_closed_streams()
    interruption = _Interruption()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else the parent process ignores it
        signal.signal(signal.SIGINT, interruption)
    try:
        from rag.cli.main import main

        code = main(interrupted=lambda: interruption.happened)
    except BaseException:
        if not interruption.happened:
            raise
        sys.stderr.write("rag: interrupted; run the same command again: what was finished is kept\n")
        code = 130
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            code = code or 1
    os._exit(code)


if __name__ == "__main__":
    run()
