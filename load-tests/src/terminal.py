"""Runs a program on a terminal of its own: `terminal.py PROMPT TYPED [PROMPT TYPED]... -- PROGRAM ARGUMENT...`.

Types each answer once its prompt was shown; prints all that the terminal showed, and ends as the program did.
"""

import os
import pty
import sys
import termios
import time


def main() -> int:
    split = sys.argv.index("--")
    said, command = sys.argv[1:split], sys.argv[split + 1 :]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(command[0], command)
    shown, from_here = b"", 0
    for prompt, answer in zip(said[::2], said[1::2]):
        while prompt.encode() not in shown[from_here:]:
            part = read(terminal)
            if not part:
                sys.exit(f"never asked {prompt!r}: {shown!r}")
            shown += part
        from_here = len(shown)
        # Whoever asks drops what was typed before echo went off.
        while termios.tcgetattr(terminal)[3] & termios.ECHO:
            time.sleep(0.01)
        os.write(terminal, answer.encode() + b"\n")
    while part := read(terminal):
        shown += part
    sys.stdout.buffer.write(shown)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:
        # Linux ends a terminal like this when the last one who has it goes.
        return b""


if __name__ == "__main__":
    sys.exit(main())
