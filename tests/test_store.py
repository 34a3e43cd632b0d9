import subprocess
import sys
from pathlib import Path

import pytest

from edgebench.deploy.targets import catalogue
from edgebench.foundation.errors import Busy, InvalidFile, RequestError, UnknownName
from edgebench.foundation.lock import lock
from edgebench.measure.plan import sweeps
from edgebench.results.folders import results_folder


def refused(text: str, path: Path) -> str:
    path.write_text(text)
    with pytest.raises(InvalidFile) as caught:
        sweeps.sweep(str(path))
    return str(caught.value).removeprefix(str(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("preset = 'quick'\nfoo = 1\n[[models]]\nname='a'", ":2: foo: unknown key"),
        ('[[models]]\nname="a"\n\n[[models]]\nname="b"\nwidht=[1]\n', ":6: models.1.widht: unknown key"),
        ('[[models]]\nname="a"\nwidths="x"\n', ":3: models.0.widths: Input should be a valid array, found 'x'"),
        ('threads=["a"]\n[[models]]\nname="a"\n', ":1: threads.0: Input should be a valid integer, found 'a'"),
        ('weights=1\n[[models]]\nname="a"\n', ":1: weights: Input should be a valid string, found 1"),
        ("[[models]]\nwidths=[1.0]", ":1: models.0.name: missing"),
        ("x = = 3", ": not TOML: Invalid value (at line 1, column 5)"),
        ("preset = 'quick'", ":1: models: missing"),
        ("resolutions = 2024-01-01\n[[models]]\nname='a'", ":1: resolutions: Input should be a valid array"),
    ],
)
def test_a_sweep_that_is_wrong_says_file_line_and_key(text: str, message: str, place: Path) -> None:
    assert refused(text, place / "my.toml").startswith(message)


def test_a_file_that_is_not_text_is_refused(place: Path) -> None:
    (place / "bad.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidFile, match="not TOML"):
        sweeps.sweep("bad.toml")


def test_a_missing_file_is_refused() -> None:
    with pytest.raises(InvalidFile, match=r"cannot read none\.toml: No such file"):
        sweeps.sweep("none.toml")


def test_an_unknown_sweep_or_target_suggests_the_nearest() -> None:
    with pytest.raises(UnknownName, match="no sweep 'gird' .* did you mean 'grid'"):
        sweeps.sweep("gird")
    with pytest.raises(UnknownName, match="no target 'cpuu' .* did you mean 'cpu'"):
        catalogue.target("cpuu")


def test_a_target_here_wins_over_the_users_and_the_shipped_one(place: Path, tmp_path: Path) -> None:
    text = 'board = "{}"\nconnection = "local"\nruntimes = ["null"]\n'
    assert catalogue.target("cpu").board == "this machine"
    users = tmp_path / "config" / "edgebench" / "targets"
    users.mkdir(parents=True)
    (users / "cpu.toml").write_text(text.format("the user's"))
    assert catalogue.target("cpu").board == "the user's"
    (place / "targets").mkdir()
    (place / "targets" / "cpu.toml").write_text(text.format("the project's"))
    assert catalogue.target("cpu").board == "the project's"


def test_a_sweep_is_kept_as_the_toml_that_asks_for_it_again(place: Path) -> None:
    asked = sweeps.sweep("grid")
    sweeps.write_sweep(place, asked)
    (place / sweeps.SWEEP).rename(place / "grid.toml")
    assert sweeps.sweep("grid.toml") == asked


def test_a_place_is_held_by_one_process_and_the_other_is_told_whose() -> None:
    code = "from edgebench.foundation.lock import lock\nwith lock('target cpu'): print('held', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "held\n"
        with pytest.raises(Busy, match=f"target cpu is in use by process {owner.pid}"), lock("target cpu"):
            pass
        owner.communicate("\n")
    with lock("target cpu"):
        pass


@pytest.mark.parametrize("name", ["../up", "", "a/b", ".hidden", "x\ny"])
def test_a_results_name_that_is_no_folder_name_is_refused(name: str) -> None:
    with pytest.raises(RequestError, match="wanted a name of letters, digits"):
        results_folder(name)


def test_a_results_folder_that_cannot_be_made_is_refused(place: Path) -> None:
    (place / "results").write_text("a file")
    with pytest.raises(RequestError, match="cannot make results/mine: Not a directory"):
        results_folder("mine")
