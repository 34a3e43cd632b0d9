"""Access to targets: which of them is locked when it is queried, released and measured on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgebench.deploy import Access
from edgebench.deploy.locking import locked
from edgebench.deploy.targets import catalogue
from edgebench.foundation.errors import Busy
from edgebench.schema.target import THIS_MACHINE, Target

HERE, BOARD = THIS_MACHINE, "board"


def targets() -> tuple[Target, Target]:
    """This machine and a board, both reached without a start-up time."""
    here = catalogue.target("null")
    return here, replace(here, name="board", address=BOARD)


def locks() -> set[str]:
    """The machines that cannot be locked again now."""
    busy = set[str]()
    for machine in (HERE, BOARD):
        try:
            with locked(machine, machine):
                pass
        except Busy:
            busy.add(machine)
    return busy


@pytest.mark.lengthy
def test_this_machine_is_locked_only_to_be_measured_on_and_a_board_is_free_when_released() -> None:
    with Access(*targets()) as access:
        assert locks() == set()
        assert [held.target.name for held in access.connect()] == ["null", "board"]
        assert locks() == {BOARD}
        access.release()
        assert locks() == set()
        assert len(access.lock()) == 2
        assert locks() == {HERE, BOARD}
    assert locks() == set()


@pytest.mark.lengthy
def test_without_a_release_the_same_connections_are_locked() -> None:
    with Access(*targets()) as access:
        connected = access.connect()
        assert access.lock() == connected
        assert locks() == {HERE, BOARD}
    here, _ = targets()
    with Access(here) as access:
        connected = access.connect()
        access.release()  # there is nothing that others wait for
        assert access.lock() == connected
        assert locks() == {HERE}
    assert locks() == set()


@pytest.mark.lengthy
@pytest.mark.parametrize("machine", [HERE, BOARD])
def test_if_one_target_is_in_use_nothing_stays_locked(machine: str) -> None:
    with Access(*targets()) as access:
        with locked(machine, "the test"):
            if machine == BOARD:
                with pytest.raises(Busy):
                    access.connect()
            else:
                access.connect()
            with pytest.raises(Busy):
                access.lock()
        assert len(access.lock()) == 2  # try again
