"""A harness that measures vision networks on edge targets.

It builds the networks of a sweep, exports them, deploys them to targets and measures them there in fresh processes.
What each process observed is appended to a journal. Tables and choices are computed whenever the journal is read.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgebench.results.folders import load

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def __getattr__(name: str) -> Any:
    """Import `load` on first use, because this file is also sent to targets, which have no pandas."""
    if name == "load":
        from edgebench.results.folders import load

        return load
    raise AttributeError(f"module 'edgebench' has no attribute {name!r}")
