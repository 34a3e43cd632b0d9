"""Keras' own answers against those of networks here with its weights, on random images and random weights.

`python -m tests.benchmarks.keras_oracle [NETWORK ...]` builds every network of keras.applications that is here, the
MobileNets at each width and resolution, saves it in each form of file, and reads it as `--weights FILE` does. It prints
the largest difference of outputs per network, as a share of the largest output, and ends with 1 above 1e-4.
"""

import os
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

from edgebench.foundation.shelf import load
from tests.support.keras_models import BUILDERS, FORMS, differences

MOST = 1e-4
WIDTHS, RESOLUTIONS = (0.25, 0.35, 0.5, 0.75, 1.0, 1.3, 1.4), (96, 128, 160, 192, 224)


def cells(name: str) -> Iterator[tuple[float, int]]:
    """Yield widths and resolutions of a network."""
    if name.startswith("mobilenet"):
        yield from product(WIDTHS, RESOLUTIONS)
    else:
        yield 1.0, load("architectures", name).RESOLUTIONS[name][0]


def largest(name: str) -> float:
    """Compare all cells of a network in all forms of file; print each cell's largest difference."""
    most = 0.0
    for width, resolution in cells(name):
        with TemporaryDirectory() as folder:
            os.environ["EDGEBENCH_CACHE"] = f"{folder}/cache"  # gigabytes of copies in all
            here = max(differences(name, width, resolution, Path(folder)).values())
        print(f"{name} {width:g} @{resolution}: {here:.1e}", file=sys.stderr, flush=True)
        most = max(most, here)
    return most


def main(names: list[str]) -> int:
    """Print a line per network; return the exit code."""
    differences = {name: largest(name) for name in names or BUILDERS}
    for name, most in differences.items():
        print(f"{name}: largest difference {most:.1e} in {len(list(cells(name)))} x {len(FORMS)} files")
    return int(max(differences.values()) > MOST)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
