"""A lock is held by one process, and the next one learns which."""

import subprocess
import sys

import pytest

from edgebench.foundation.errors import Busy
from edgebench.foundation.lock import lock


@pytest.mark.lengthy
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
