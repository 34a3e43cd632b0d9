"""Names of results folders, and places where none can be made."""

from pathlib import Path

import pytest

import edgebench
from edgebench.foundation.errors import RequestError
from edgebench.results.folders import results_folder
from tests import GOLDEN


@pytest.mark.parametrize("name", ["../up", "", "a/b", ".hidden", "x\ny"])
def test_a_results_name_that_is_no_folder_name_is_refused(name: str) -> None:
    with pytest.raises(RequestError, match="wanted a name of letters, digits"):
        results_folder(name)


def test_a_results_folder_that_cannot_be_made_is_refused(place: Path) -> None:
    (place / "results").write_text("a file")
    with pytest.raises(RequestError, match="cannot make results/mine: Not a directory"):
        results_folder("mine")


@pytest.mark.lengthy
def test_columns_without_a_value_are_loaded_as_numbers_as_pandas_reads_them() -> None:
    frame = edgebench.load(GOLDEN)
    empty = [column for column in frame if frame[column].isna().all()]
    assert empty and {str(frame[column].dtype) for column in empty} == {"float64"}
