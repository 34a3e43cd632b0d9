"""The names that a user gives say what they are, wherever the file lies."""

import pytest

from edgebench.foundation.shelf import names
from edgebench.schema.names import (
    MODEL_FILES,
    WEIGHTS_FILES,
    file_and_function,
    is_custom,
    is_model_file,
    is_weights_file,
    title,
)
from edgebench.schema.variant import WeightSource


@pytest.mark.parametrize("folder", ["", "nets/", "../a.b/", "/c:/"])
@pytest.mark.parametrize("file", [*(f"net{suffix}" for suffix in MODEL_FILES), "nets.py:build", "nets.py"])
def test_a_model_of_the_users_own_is_known_by_its_ending_in_any_folder(folder: str, file: str) -> None:
    assert is_custom(folder + file)
    assert title(folder + file) == file
    assert is_model_file(folder + file) == (not file.startswith("nets"))
    assert file_and_function(folder + file) == (folder + file.partition(":")[0], file.partition(":")[2])


@pytest.mark.parametrize("name", names("architectures"))
def test_a_network_of_the_shelf_is_no_file(name: str) -> None:
    assert not is_custom(name)
    assert not is_model_file(name)
    assert title(name) == name


def test_weights_are_a_file_by_their_ending_and_never_a_word() -> None:
    assert all(is_weights_file(f"folder/net{suffix}") for suffix in WEIGHTS_FILES)
    assert not any(map(is_weights_file, WeightSource))
