"""A sweep of variants is built, exported, deployed to targets and measured there in fresh processes; what each process
saw is appended to a journal; tables and choices are computed from the journal on reading.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgebench.results.folders import load

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def __getattr__(name: str) -> Any:
    """Import `load` on first use: this file also travels to targets that have no pandas."""
    if name == "load":
        from edgebench.results.folders import load

        return load
    raise AttributeError(f"module 'edgebench' has no attribute {name!r}")
