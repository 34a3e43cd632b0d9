"""A name as part of a file's name: short ones are kept, long ones shortened so that they still differ."""

import pytest

from edgebench.schema.names import MOST_TITLE_BYTES, file_title


@pytest.mark.parametrize("letter", ["n", "\u00e9", "\u7db2", "\U0001f600", ":", "/"])
def test_a_long_name_fits_a_file_name_and_is_told_from_others(letter: str) -> None:
    names = [letter * 250, letter * 249, letter * 250 + "n"]
    titles = {file_title(f"{name}.onnx") for name in names}
    assert len(titles) == 3
    assert all(len(title.encode()) <= MOST_TITLE_BYTES and "/" not in title for title in titles)


def test_a_name_of_a_usual_length_is_kept() -> None:
    assert file_title("a/net.tflite:encode|b.onnx") == "a-net.tflite-encode+b.onnx"
