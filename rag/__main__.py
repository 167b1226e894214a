"""`rag` and `python -m rag`."""

import os
import signal
import sys


def run() -> None:
    """Run the command line and leave at once with its exit code: no thread is joined, and no second Ctrl-C is heard."""
    try:
        from rag.cli.main import main

        code = main()
    except KeyboardInterrupt:
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
