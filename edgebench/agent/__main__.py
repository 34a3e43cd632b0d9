"""Read a request from standard input and print its answer to standard output; all other output goes to stderr."""

import json
import os
import sys
from typing import IO, Any

from edgebench.agent import answer, lifeline

MARK = "edgebench-answer "  # start of the line with the answer; the host ignores all other lines, such as banners


def main() -> None:
    """Answer the request on standard input; redirect all other output to standard error."""
    protocol = os.dup(1)
    os.dup2(2, 1)
    request = _request(sys.stdin)
    if request.get(lifeline.HELD):
        lifeline.end_with_host()
    if packages := request.get("packages"):
        sys.path.insert(0, packages)
    reply = answer(request)
    with os.fdopen(protocol, "w", encoding="utf-8") as stream:
        stream.write(f"\n{MARK}{json.dumps(reply)}\n")


def _request(stream: IO[str]) -> dict[str, Any]:
    """Read a request.

    A host sends one line and holds the stream open. A request that was written by hand can span several lines.
    """
    line = stream.readline()
    try:
        request: dict[str, Any] = json.loads(line)
    except ValueError:
        request = json.loads(line + stream.read())
    return request


if __name__ == "__main__":
    main()
