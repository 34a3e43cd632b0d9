"""Names of results folders, and places where none can be made."""

from pathlib import Path

import pytest

from edgebench.foundation.errors import RequestError
from edgebench.results.folders import results_folder


@pytest.mark.parametrize("name", ["../up", "", "a/b", ".hidden", "x\ny"])
def test_a_results_name_that_is_no_folder_name_is_refused(name: str) -> None:
    with pytest.raises(RequestError, match="wanted a name of letters, digits"):
        results_folder(name)


def test_a_results_folder_that_cannot_be_made_is_refused(place: Path) -> None:
    (place / "results").write_text("a file")
    with pytest.raises(RequestError, match="cannot make results/mine: Not a directory"):
        results_folder("mine")
