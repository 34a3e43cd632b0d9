"""A runtime at another version: found by pip for the target, brought there, and used instead of what is installed."""

from dataclasses import replace
from importlib.metadata import version
from zipfile import ZipFile

import pytest

import edgebench
from edgebench.deploy import wheels
from edgebench.deploy.wheels import Platform, gather
from edgebench.foundation import cache
from edgebench.foundation.errors import RequestError
from tests.support.command import cli

PI = Platform(python="3.11", machine="aarch64", glibc="2.36")
FACTS = {"python": "CPython 3.11.2", "libc": "glibc 2.36", "machine": "aarch64"}
OTHER = "1.23.2"


def test_a_targets_platform_is_read_from_its_facts() -> None:
    assert wheels.platform(FACTS) == PI


@pytest.mark.parametrize(
    ("facts", "found"), [({"libc": ""}, "another C library"), ({"python": "PyPy 3.11"}, "PyPy 3.11 with glibc")]
)
def test_a_target_that_no_wheel_fits_is_refused(facts: dict[str, str], found: str) -> None:
    with pytest.raises(RequestError, match=f"wanted CPython with glibc.*{found}"):
        wheels.platform(FACTS | facts)


def test_tags_go_from_the_targets_glibc_down() -> None:
    tags = PI.tags
    assert tags[0] == "manylinux_2_36_aarch64"
    assert tags.index("manylinux_2_17_aarch64") + 1 == tags.index("manylinux2014_aarch64")
    assert "manylinux_2_37_aarch64" not in tags


@pytest.mark.slow
def test_wheels_of_another_machine_are_gathered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    packages = gather("onnxruntime", OTHER, PI)
    assert packages.packages == ("numpy==1.26.4", f"onnxruntime=={OTHER}")
    with ZipFile(cache.path_of(packages)) as archive:
        assert any("aarch64-linux-gnu" in name for name in archive.namelist())
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # a second resolution would find nothing
    assert gather("onnxruntime", OTHER, PI) == packages


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wanted", "target", "message"),
    [
        (
            "9.9.9",
            PI,
            r"no wheel of onnxruntime==9.9.9 for Python 3.11 on aarch64 with glibc 2.36; available are .*1\.31",
        ),
        (OTHER, replace(PI, machine="armv7l"), r"no wheel of onnxruntime==1.23.2 for Python 3.11 on armv7l"),
        (OTHER, replace(PI, python="3.8"), r"no wheel of onnxruntime==1.23.2 for Python 3.8 on aarch64 .*; available"),
    ],
)
def test_a_version_without_a_wheel_is_refused_with_those_there_are(wanted: str, target: Platform, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        gather("onnxruntime", wanted, target)


@pytest.mark.slow
def test_two_versions_of_a_runtime_stand_in_one_table() -> None:
    done = cli(
        "run", "--target", "cpu", "--model", "mobilenet_v1", "--width", "0.25", "--resolution", "32", "--weights",
        "random", "--preset", "quick", "--precision", "fp32", "--runtime", f"onnxruntime,onnxruntime=={OTHER}",
        "--name", "versions",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    table = edgebench.load("results/versions")
    assert set(table.runtime_version) == {version("onnxruntime"), OTHER}
    assert table.p50_ms.notna().all()
    (pinned,) = table[table.runtime_version == OTHER].runtime_packages
    assert pinned == f"numpy==1.26.4 onnxruntime=={OTHER}"
    assert table[table.runtime_version != OTHER].runtime_packages.eq("").all()


@pytest.mark.slow
def test_a_version_that_does_not_exist_stops_before_anything_runs() -> None:
    done = cli("run", "--target", "cpu", "--model", "mobilenet_v1", "--runtime", "onnxruntime==9.9.9")
    assert done.returncode == 2
    assert done.stderr.startswith("edgebench: no wheel of onnxruntime==9.9.9 for Python 3.11 on ")
