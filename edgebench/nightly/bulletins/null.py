"""The null plug-in, which writes no report of a night."""

from edgebench.nightly.summary import Bulletin

FILE = ""


def render(bulletin: Bulletin) -> str:
    """Return an empty text."""
    return ""
