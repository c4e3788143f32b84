"""Replace this process by a command that dies with the parent: tether.py PARENT SIGNAL COMMAND ...

Run as a plain file by a bare interpreter, so it imports nothing of the package. Linux sends the
signal when the parent is gone; elsewhere the command is simply run.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent, then become the command."""
    parent, number, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        # The parent died before the line above: no signal will ever come.
        sys.exit(1)
    try:
        os.execvp(command[0], command)  # noqa: S606 - the command is our supervisor's own
    except OSError as error:
        sys.exit(f"cannot start {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
