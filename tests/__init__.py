"""The suite: a folder for each wing of the package, one for hostile inputs, one for benchmarks."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden"  # a recorded journal, and what is written of it
