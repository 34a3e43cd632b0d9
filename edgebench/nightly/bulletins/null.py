"""Nothing of a night: the shelf's empty plug-in."""

from edgebench.nightly.bulletin import Bulletin

FILE = ""


def render(bulletin: Bulletin) -> str:
    """Say nothing."""
    return ""
