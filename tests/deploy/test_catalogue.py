"""Target files: where they are looked for, and which of two wins."""

from pathlib import Path

import pytest

from edgebench.deploy.targets import catalogue
from edgebench.foundation.errors import RequestError


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


LAB = 'board = "b"\nconnection = "ssh"\nruntimes = ["null"]\n'


def boards_of(place: Path, more: str, address: str = "") -> list[tuple[str, str, int]]:
    (place / "targets").mkdir(exist_ok=True)
    (place / "targets" / "pi.toml").write_text(LAB + more)
    boards = catalogue.targets_of(("pi",), address)
    return [(board.label, board.address, board.number) for board in boards]


def test_a_target_of_several_addresses_is_as_many_boards(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    several = 'addresses = ["a", "b"]\n'
    assert boards_of(place, several) == [("pi board 1", "a", 1), ("pi board 2", "b", 2)]
    assert boards_of(place, several, "c") == [("pi", "c", 0)]
    assert boards_of(place, 'address = "a"\n', "c,d") == [("pi board 1", "c", 1), ("pi board 2", "d", 2)]
    assert boards_of(place, 'addresses = ["a"]\n') == [("pi", "a", 0)]
    assert catalogue.target("pi").address == "a"
    monkeypatch.setenv("EDGEBENCH_PI_ADDRESS", "x, y")
    assert boards_of(place, several) == [("pi board 1", "x", 1), ("pi board 2", "y", 2)]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ('addresses = ["a", "a"]', "addresses: wanted at least one, and each address once"),
        ("addresses = []", "addresses: wanted at least one, and each address once"),
        ('address = "a"\naddresses = ["b"]', "wanted address or addresses, found both"),
        ("number = 2", "number: edgebench counts the addresses itself"),
        ("addresses = 3", "addresses: "),
    ],
)
def test_impossible_addresses_are_refused(place: Path, more: str, reason: str) -> None:
    with pytest.raises(RequestError, match=reason):
        boards_of(place, f"{more}\n")
