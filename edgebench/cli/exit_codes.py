"""The exit codes of all commands except `nightly`, whose exit codes are in `edgebench.nightly.exit_code`."""

SOME_FAILED = 1  # a case or a training failed; the row of the table gives the reason
NOTHING = 1  # no configuration meets the limits, or no cell can be predicted
FOUND = 1  # lint has findings, or a plug-in does not meet its contract
BROKEN = 1  # doctor found a required package that does not work
REFUSED = 2  # the request cannot be met
BUG = 70  # a bug in edgebench; EX_SOFTWARE of sysexits.h


def ended_by(signal: int) -> int:
    """Return the exit code that shells define for a process that this signal interrupted: 130, 143 or 129."""
    return 128 + signal


EPILOG = (
    "Exit codes: 0 answered; 1 a case failed (see its row), no row meets the limits, lint found something, or doctor"
    " found something broken; 2 the request cannot be met; 130 interrupted; 143 or 129 ended by SIGTERM or SIGHUP."
    " What was measured before an interruption is kept."
)
EPILOG_OF_NIGHTLY = (
    "Exit codes: 0 nothing regressed (also HOST_CHANGE and UNDERPOWERED); 1 a regression is confirmed, and no user has"
    " reacted to it; 2 the request cannot be met; 3 something was not measured, or is INVALID."
)
