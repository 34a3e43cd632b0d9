"""A harness that measures vision networks on edge targets.

It builds the networks of a sweep, exports them, deploys them to targets and measures them there in fresh processes.
What each process observed is appended to a journal. Tables and choices are computed whenever the journal is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pandas

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def load(results: str | Path) -> pandas.DataFrame:
    """Return a results folder as a data frame: one row per case, with the columns of `comparison.csv`.

    If the folder is a history of nights, return one row per configuration and night, the earliest night first.

    Raises:
        InvalidFile: the folder has neither a journal nor a night, or the journal cannot be read.
    """
    from pathlib import Path  # this file is also sent to targets, where an import costs time

    from edgebench.nightly import frame
    from edgebench.results import folders

    folder = Path(results)
    return frame.load(folder) if frame.is_history(folder) else folders.load(folder)
