"""How many hostile inputs of each kind are tried, and how many give a wrong answer now.

python -m tests.hostile            tries what takes a minute together, and counts the others
python -m tests.hostile --slow     tries all of them
python -m tests.hostile --count    counts
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

if __name__ == "__main__":
    options = ("-q", "-q", "--no-header", "-rfE", "-p", "tests.hostile.tally")
    sys.exit(pytest.main([*options, str(Path(__file__).parent), *sys.argv[1:]]))
