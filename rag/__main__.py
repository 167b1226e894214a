"""`rag` and `python -m rag`."""

import os
import signal
import sys
from types import FrameType
from typing import NoReturn


class _Interruption:
    """Ctrl-C, remembered: a native library may turn the KeyboardInterrupt that reaches it into an error of its own."""

    happened = False

    def __call__(self, _signal: int, _frame: FrameType | None) -> NoReturn:
        self.happened = True
        raise KeyboardInterrupt


def _open_closed_streams() -> None:
    """Standard streams that whoever started us had closed go nowhere, as those of services do.

    Python has None for them, and their numbers go to the next files that are opened: what a native library prints would be
    written into a document or a connection.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # It gets the lowest number that is free, which is the one that was closed.
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8"))


def run() -> None:
    """Run the command line and leave at once with its exit code: no thread is joined, and no second Ctrl-C is heard."""
    _open_closed_streams()
    interruption = _Interruption()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else whoever started us has it ignored
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
