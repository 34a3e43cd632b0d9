"""No report of a night: the null plug-in."""

from edgebench.nightly.summary import Bulletin

FILE = ""


def render(bulletin: Bulletin) -> str:
    """Return an empty text."""
    return ""
