"""End this process and its children when the host closes the standard input of this process.

The kernel sends SIGIO to the process group when the other end of standard input is closed, and SIGIO ends a process by
default. Because of this signal, no thread has to watch standard input; such a thread would disturb times and
instruction counts.
"""

import fcntl
import os
import select
import signal

HELD = "held"  # key of a request; if true, the host holds standard input open until it has the answer


def end_with_host(handle: int = 0) -> None:
    """Make this process and its children end as soon as standard input is closed, or now if it is already closed."""
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)  # without a group of its own, SIGIO would end the parent process, too
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGIO})
    fcntl.fcntl(handle, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(handle, fcntl.F_SETFL, fcntl.fcntl(handle, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([handle], [], [], 0)[0]:  # the host closed standard input before the signal was set up
        os.killpg(0, signal.SIGIO)
