"""Standard input that the host holds open -> this process and its children end when the host does.

The kernel sends SIGIO to the process group when the other end of standard input is closed, and SIGIO ends a process by
default. So no thread watches, which would disturb what is timed and what is counted.
"""

import fcntl
import os
import select
import signal

HELD = "held"  # of a request: the host holds standard input open until it has the answer


def end_with_host(handle: int = 0) -> None:
    """Let this process and its children end when the host closes standard input, or is gone already."""
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)  # else what started this process would end, too
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGIO})
    fcntl.fcntl(handle, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(handle, fcntl.F_SETFL, fcntl.fcntl(handle, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([handle], [], [], 0)[0]:  # closed before the kernel was asked to tell
        os.killpg(0, signal.SIGIO)
