"""The command line from outside: its help, its refusals in one line, and what each exit code says."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import GOLDEN
from tests.support.command import cli, process


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--runtime", "null", "--target", "rpi44"], "no target 'rpi44' (has "),
        (["--model", "mobilenet_v9"], "no model 'mobilenet_v9' (has alexnet, "),
        (["--precision", "int9"], "no precision 'int9' (has fp32, fp16, bf16, int8); did you mean 'int8'?"),
        (
            ["--runtime", "onnx"],
            "no runtime 'onnx' (has executorch, litert, ncnn, onnxruntime, openvino, tflite_runtime, torch, vela)",
        ),
        (
            ["--model", "nets/net.param"],
            "nets/net.param: ncnn's own files are not read; give an .onnx or .tflite file, or ",
        ),
        (["--width", "0"], "width 0 of mobilenet_v1_det: wanted more than 0, at most 4"),
        (["--resolution", "1e3"], "wanted a whole number for --resolution, found '1e3'"),
        (["--time-limit", "-3m"], "wanted a time such as 90s, 3m or 1h, found '-3m'"),
        (["missing.toml"], "cannot read missing.toml: No such file or directory"),
        (
            ["--runtime", "null", "--name", "../x"],
            "wanted a name of letters, digits, '.', '_' and '-' for the results, found '../x'",
        ),
    ],
)
def test_what_cannot_be_is_one_line_and_exit_code_2(arguments: list[str], message: str, place: Path) -> None:
    done = cli("run", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(f"edgebench: {message}")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert list(place.iterdir()) == []


@pytest.mark.lengthy
def test_an_unknown_option_is_exit_code_2() -> None:
    done = process("run", "--modle", "x")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_an_input_too_small_is_refused_before_anything_runs() -> None:
    done = cli("run", "--model", "mobilenet_v2", "--resolution", "16", "--weights", "random")
    assert done.returncode == 2
    assert done.stderr == (
        "edgebench: mobilenet_v2 does not support inputs of 16 pixels; the smallest it supports is 32,"
        " the nearest --resolution 32\n"
    )


@pytest.mark.lengthy
def test_results_that_cannot_be_written_are_refused(place: Path) -> None:
    (place / "results").write_text("in the way")
    done = cli("run", "--runtime", "null")
    assert done.returncode == 2
    assert done.stderr == (
        "edgebench: cannot make results/default: Not a directory; run in a folder that you may write to\n"
    )


@pytest.mark.lengthy
def test_help_tells_commands_and_exit_codes() -> None:
    done = process("--help")
    assert done.returncode == 0
    assert "run" in done.stdout and "report" in done.stdout
    assert "Exit codes: 0 answered" in done.stdout


@pytest.mark.lengthy
def test_help_imports_no_heavy_library() -> None:
    code = (
        "import sys; sys.argv = ['edgebench', '--help']\n"
        "from edgebench.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'jinja2', 'torch', 'onnx', 'onnxruntime', 'pandas', 'numpy', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")


@pytest.mark.slow
def test_output_that_is_piped_has_no_colour(place: Path) -> None:
    golden = GOLDEN
    (place / "runs.jsonl").write_bytes((golden / "runs.jsonl").read_bytes())
    done = process("report", ".")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
