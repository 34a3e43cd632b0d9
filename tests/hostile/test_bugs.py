"""A bug of ours is called one, with a file for an issue; what libraries say of themselves reaches nobody."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgebench.foundation import bugs
from edgebench.foundation.errors import AgentError, CaseError, RequestError, Unreachable, in_words
from tests import ROOT

CHATTER = """
import os, sys, warnings
from edgebench import cli
def app():
    warnings.warn("a library's own", UserWarning)
    warnings.warn("going away", FutureWarning)
    os.write(2, b"2026-11-27 [W:onnxruntime:, graph.cc:1348 CleanUnused] Removing initializer\\nINFO: Created TensorFlow Lite XNNPACK delegate\\n")
    {then}
cli.app = app
cli.main()
"""  # noqa: E501


def _run(then: str, home: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    return subprocess.run(
        [sys.executable, "-c", CHATTER.format(then=then)],
        env=environment | {"EDGEBENCH_CACHE": str(home), "PYTHONPATH": str(ROOT)} | more,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.lengthy
def test_a_bug_is_one_line_with_a_file_that_has_all(tmp_path: Path) -> None:
    done = _run("{}['x']", tmp_path)
    (file,) = (tmp_path / bugs.FOLDER).iterdir()
    assert done.returncode == 70
    assert done.stdout == ""
    assert done.stderr == (
        f"edgebench: a bug in edgebench, not in your input (KeyError in cli/__init__.py:"
        f"{done.stderr.partition('__init__.py:')[2].partition(')')[0]}): attach {file} to an issue\n"
    )
    text = file.read_text()
    assert "Traceback (most recent call last)" in text
    assert "KeyError: 'x'" in text
    assert "numpy==" in text


@pytest.mark.lengthy
@pytest.mark.parametrize(
    ("then", "own"), [("pass", ""), ("raise KeyboardInterrupt", "interrupted\n"), ("print('answer')", "")]
)
def test_what_libraries_say_reaches_nobody(then: str, own: str, tmp_path: Path) -> None:
    assert _run(then, tmp_path).stderr == own


@pytest.mark.lengthy
def test_a_refusal_is_still_said(tmp_path: Path) -> None:
    done = _run(
        "from edgebench.foundation.errors import RequestError; raise RequestError('wanted a, found b')", tmp_path
    )
    assert (done.returncode, done.stderr) == (2, "edgebench: wanted a, found b\n")


@pytest.mark.lengthy
def test_who_asks_for_warnings_has_them(tmp_path: Path) -> None:
    assert "a library's own" in _run("pass", tmp_path, PYTHONWARNINGS="default").stderr


@pytest.mark.lengthy
def test_where_no_file_can_be_written_the_bug_is_still_called_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = _run("1 / 0", tmp_path / "file" / "below")
    assert "a bug in edgebench" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.lengthy
@pytest.mark.parametrize("error", [KeyError("x"), IndexError("list index"), AssertionError(), TypeError("a\nb")])
def test_a_case_that_meets_a_bug_says_so_in_one_line(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEBENCH_CACHE", str(tmp_path))
    reason = bugs.reason(error)
    assert reason.startswith("a bug in edgebench, not in your input")
    assert "\n" not in reason
    assert "KeyError: " not in reason


@pytest.mark.parametrize("error", [CaseError("too few"), AgentError("it died")])
def test_a_case_that_failed_says_why(error: CaseError) -> None:
    assert bugs.reason(error) == str(error)


@pytest.mark.parametrize("error", [RequestError("no"), Unreachable("gone")])
def test_what_ends_a_sweep_still_does(error: Exception) -> None:
    with pytest.raises(type(error)):
        bugs.reason(error)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyError("x"), "'x' is missing"),
        (IndexError("list index out of range"), "an index is too large: list index out of range"),
        (
            RuntimeError("[ONNXRuntimeError] : 1 : FAIL : Load model from /tmp/a/one.onnx failed:Fatal error: no Op"),
            "RuntimeError: Fatal error: no Op",
        ),
        (
            RuntimeError("/onnxruntime_src/core/framework/x.cc:12 Status onnxruntime::Run(int) it is too wide"),
            "RuntimeError: Status it is too wide",
        ),
        (RuntimeError("tensorflow/lite/kernels/conv.cc:350 dims != 4"), "RuntimeError: dims != 4"),
    ],
)
def test_a_librarys_error_names_no_sources(error: Exception, words: str) -> None:
    assert in_words(error) == words
