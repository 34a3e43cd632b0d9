"""Descriptions that are kept: the same as drawn anew, without torch, and never another network's."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edgebench.foundation import files, provenance, shelf
from edgebench.foundation.errors import RequestError
from edgebench.networks import build, cost
from edgebench.networks.describe import describe

slow = pytest.mark.slow
SHIP = "run python -c 'from edgebench.networks import cost; cost.ship()'"


@slow
def test_what_is_kept_is_what_was_drawn() -> None:
    drawn = describe("mobilenet_v2", 0.5, 96, 10)
    for _ in range(2):
        cost.blueprint.cache_clear()
        assert cost.blueprint("mobilenet_v2", 0.5, 96, 10) == drawn


@slow
def test_a_network_described_before_is_shown_without_torch() -> None:
    for resolution in (32, 0):  # with a number of classes none of these comes with the package
        cost.blueprint("lenet5", 1.0, resolution, 7)
    code = (
        "import sys; from edgebench.analysis.describe import network; network('lenet5', 1, 32, 7)\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@slow
def test_a_network_is_described_without_torchs_compiler() -> None:
    code = (
        "import sys; from edgebench.networks.describe import describe\n"
        "for name in sys.argv[1:]: describe(name, 1, 96, 7)\n"
        "print('torch._dynamo' in sys.modules)"
    )
    networks = ("googlenet", "inception_v3", "mobilenet_v1", "mobilenet_v2_det", "resnet18", "se_resnet50", "xception")
    done = subprocess.run([sys.executable, "-c", code, *networks], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@slow
def test_what_describes_a_network_is_part_of_the_name_it_is_kept_under(monkeypatch: pytest.MonkeyPatch) -> None:
    cost.blueprint("lenet5", 1.0)
    kept = set(files.folder("descriptions").glob("lenet5-*"))
    monkeypatch.setattr(provenance, "source", lambda *modules: "another")
    cost.blueprint.cache_clear()
    cost.blueprint("lenet5", 1.0)
    cost.blueprint.cache_clear()
    assert len(set(files.folder("descriptions").glob("lenet5-*")) - kept) == 1


@pytest.mark.lengthy
def test_what_comes_with_the_package_was_drawn_by_the_code_of_today() -> None:
    for name, width in cost.published_widths():
        assert cost._shipped(cost._stem(name, width, 0, 0)), SHIP
        assert cost._sides(name) in cost._every_shipped(), SHIP


@slow
def test_what_comes_with_the_package_is_what_is_drawn_today() -> None:
    for name, width in cost.published_widths():
        assert cost._shipped(cost._stem(name, width, 0, 0)) == cost.draw(name, width), SHIP
        assert cost._every_shipped()[cost._sides(name)] == str(cost._least(name)), SHIP


@slow
@pytest.mark.parametrize("size", [(1.0, 31), (0.5, 32), (0.5, 33), (1.0, 1), (1.0, 224)])
def test_a_size_is_refused_with_the_words_of_the_network_itself(size: tuple[float, int]) -> None:
    for name in shelf.names("architectures"):
        assert _refusal(cost.check, name, *size) == _refusal(build.check, name, *size)


def _refusal(check: Callable[[str, float, int], None], name: str, width: float, resolution: int) -> str:
    try:
        check(name, width, resolution)
    except RequestError as error:
        return str(error)
    return ""


@slow
def test_every_network_is_shown_without_torch_the_first_time(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(files.HOME_VARIABLE, str(place / "nothing yet"))
    code = (
        "import sys; from edgebench.analysis import describe; describe.every_network(); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@slow
def test_it_needs_no_place_to_keep_it(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "file").touch()
    monkeypatch.setenv(files.HOME_VARIABLE, str(place / "file"))
    cost.blueprint.cache_clear()
    assert cost.blueprint("lenet5", 1.0, 32, 10).params == 61_706  # one that does not come with the package
