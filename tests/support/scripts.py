"""A script that edgebench wrote -> its functions and constants, in this process."""

import runpy
from pathlib import Path
from typing import Any

import pytest

from edgebench.agent.runtimes import openvino


def names_of(script: Path) -> dict[str, Any]:
    """Run a script's top level; return what it defines.

    In place of a Core of its own, it gets the only one of this process, which `openvino._core` says more about.
    """
    with pytest.MonkeyPatch.context() as patch:
        if "import openvino" in script.read_text():
            core = openvino._core()
            patch.setattr("openvino.Core", lambda: core)
        return runpy.run_path(str(script))
