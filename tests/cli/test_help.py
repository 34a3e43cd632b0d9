"""The help of commands: names of options, defaults and examples are those that the program has."""

import shlex
from typing import Any

import pytest
from typer.main import get_command

from edgebench.cli import app, reader
from edgebench.cli.commands.run import EXAMPLES
from edgebench.cli.options import SweepOptions
from edgebench.schema.sweep import Model, Sweep

COMMANDS: dict[str, Any] = vars(get_command(app))["commands"]
DEFAULTS = Sweep(models=(Model(name="mobilenet_v2"),))


def option(command: str, name: str) -> Any:
    return next(one for one in COMMANDS[command].params if one.name == name)


@pytest.mark.parametrize(
    "command", [name for name in COMMANDS if any(one.name == "width" for one in COMMANDS[name].params)]
)
def test_width_and_resolution_are_also_called_alpha_and_rho(command: str) -> None:
    needed = ["results/mine"] if command in ("predict", "report", "figures", "compare") else []
    params = COMMANDS[command].make_context(command, [*needed, "--alpha", "0.5", "--rho", "96"]).params
    assert (float(params["width"]), int(params["resolution"])) == (0.5, 96)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("target", DEFAULTS.targets),
        ("width", DEFAULTS.models[0].widths),
        ("precision", DEFAULTS.precisions),
        ("quantization", DEFAULTS.quantizations),
        ("runtime", DEFAULTS.runtimes),
        ("threads", DEFAULTS.threads),
        ("batch", DEFAULTS.batches),
        ("weights", (DEFAULTS.weights,)),
        ("dataset", ("bundled images for the network's task",)),
        ("preset", (DEFAULTS.preset,)),
    ],
)
def test_the_help_of_run_states_the_defaults_of_a_sweep(name: str, value: tuple[Any, ...]) -> None:
    words = ",".join(f"{part:g}" if isinstance(part, float) else str(part) for part in value)
    assert option("run", name).help.endswith(f": {words}.")


@pytest.mark.lengthy
def test_the_help_of_run_states_the_time_limit_of_the_default_sweep() -> None:
    limit = reader.sweep("", SweepOptions()).time_limit
    assert option("run", "time_limit").help.endswith(f"default: none, {limit} for the default sweep.")


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_of_run_are_accepted_and_fit_80_columns(example: str) -> None:
    assert example in COMMANDS["run"].epilog
    assert len(example) <= 78
    program, command, *arguments = shlex.split(example)
    params = COMMANDS[command].make_context(command, arguments).params
    given = {name: params[name] for name in ("model", "width", "resolution", "calibration", "time_limit")}
    assert program == "edgebench"
    assert reader.sweep("", SweepOptions(**given)).models
