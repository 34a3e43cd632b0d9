"""Nothing of a night: the shelf's empty plug-in."""

from edgebench.nightly.summary import Bulletin

FILE = ""


def render(bulletin: Bulletin) -> str:
    """Say nothing."""
    return ""
