"""A request on standard input -> the answer on standard output, which carries nothing else."""

import json
import os
import sys

from edgebench.agent import answer

MARK = "edgebench-answer "  # marks the answer's line: the host ignores login banners and output of libraries


def main() -> None:
    """Answer the request on standard input; redirect all other output to standard error."""
    protocol = os.dup(1)
    os.dup2(2, 1)
    request = json.load(sys.stdin)
    if packages := request.get("packages"):
        sys.path.insert(0, packages)
    reply = answer(request)
    with os.fdopen(protocol, "w") as stream:
        stream.write(f"\n{MARK}{json.dumps(reply)}\n")


if __name__ == "__main__":
    main()
