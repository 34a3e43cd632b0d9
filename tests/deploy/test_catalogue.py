"""Target files: where they are looked for, and which of two wins."""

from pathlib import Path

from edgebench.deploy.targets import catalogue


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
