"""ExecuTorch's programs: they have torch's outputs, say what computes in float, and refuse the rest in one line."""

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import edgebench
from edgebench.agent.runtimes import executorch
from edgebench.deploy import survey
from edgebench.deploy.answers import Facts
from edgebench.deploy.exchange import agent_options
from edgebench.export.formats import pte
from edgebench.foundation.errors import RequestError
from edgebench.schema.feed import Feed
from edgebench.schema.quantization import Quantization
from edgebench.schema.runtime import RuntimeRequest
from edgebench.schema.variant import Precision
from tests.conftest import variant
from tests.support.command import cli

RUN = ("run", "--model", "lenet5", "--runtime", "executorch", "--preset", "quick", "--name", "x")


@pytest.mark.slow
@pytest.mark.heavy
def test_float_and_int8_run_in_an_environment_of_their_own(place: Path) -> None:
    done = cli(*RUN, "--precision", "fp32,int8")
    if "pip said" in done.stderr or "no wheel of" in done.stderr:
        pytest.skip(f"ExecuTorch's environment cannot be installed: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    table = edgebench.load("results/x")
    assert table.p50_ms.notna().all()
    assert {*table.runtime_version} == {pte.PINS["executorch"]}
    for packages in table.runtime_packages:
        assert {*executorch.ENVIRONMENT} < {*packages.split()}
        assert "torch==" in packages
    assert '"inference_threads":"1"' in Path("results/x/runs.jsonl").read_text()
    of_int8 = table[table.precision == "int8"]
    assert (of_int8.integer_share == 100).all()
    assert (of_int8.sqnr_db > 20).all()
    done = cli(*RUN, "--precision", "fp32", "--batch", "2")
    assert "ExecuTorch's files take one image at a time, found 2: use --batch 1" in done.stdout + done.stderr


def test_a_process_of_executorch_sees_the_installed_torch() -> None:
    packages = {"packages": "folder"}
    for request in ({"runtime": "executorch"}, {"do": "facts", "runtimes": ["executorch"]}):
        assert agent_options(request | packages) == ("-I",)
    assert agent_options({"runtime": "onnxruntime"} | packages) == ("-I", "-S")


def test_a_board_is_refused_because_of_torch() -> None:
    nothing = Facts(machine={}, conditions={}, disk_free_bytes=0, missing_device="", packages={})
    for request in (RuntimeRequest(name="executorch"), RuntimeRequest(name="executorch", version="1.4.1")):
        with pytest.raises(RequestError, match=r"^runtime executorch needs torch beside it, .*: use --target cpu$"):
            list(survey._missing([request], nothing, SimpleNamespace(brings_runtimes=True)))  # type: ignore[arg-type]


def test_all_runtimes_of_a_board_are_those_without_it() -> None:
    nothing = Facts(machine={}, conditions={}, disk_free_bytes=0, missing_device="", packages={})
    request, board = RuntimeRequest(name="executorch", is_optional=True), SimpleNamespace(brings_runtimes=True)
    assert list(survey._missing([request], nothing, board)) == []  # type: ignore[arg-type]


def test_its_version_is_that_of_its_environment() -> None:
    assert f"executorch=={survey.offered('executorch')}" == executorch.ENVIRONMENT[0]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"precision": Precision.BF16}, r"^pte files are written in fp32 and int8, not bf16: use --runtime torch$"),
        ({"feed": Feed(inputs=())}, r"^ExecuTorch's programs are made only from networks that take images: use "),
        ({"quantization": Quantization(activations="int8", symmetric=True)}, r"^XNNPACK's int8 is .* symmetric=True,"),
    ],
)
def test_what_a_program_cannot_contain_is_refused(changes: dict[str, Any], reason: str) -> None:
    of = variant("lenet5", 1.0, 32)
    assert pte.refuses(of) == ""
    assert pte.refuses(replace(of, precision=Precision.INT8, quantization=pte.SCHEME)) == ""
    assert re.match(reason, pte.refuses(replace(of, **changes)))
