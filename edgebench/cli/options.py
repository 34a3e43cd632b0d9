"""The options that several commands share, with their help texts, and the classes that pass typed texts to `reader`.

Options are parsed and checked in `reader`, so that `--help` imports nothing slow.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

Results = Annotated[Path, typer.Argument(help="A results folder, such as results/default.")]
TargetName = Annotated[str, typer.Argument(help="A target, such as rpi4.")]

Models = Annotated[str, typer.Option(help="Networks to use instead of the sweep's.")]
WIDTH, RESOLUTION = ("--width", "--alpha"), ("--resolution", "--rho")
Widths = Annotated[str, typer.Option(*WIDTH, help="Width multipliers α.")]
Resolutions = Annotated[str, typer.Option(*RESOLUTION, help="Input sides ρ, pixels.")]
Precisions = Annotated[str, typer.Option(help="Precisions: fp32, fp16, bf16, int8.")]
Preprocessing = Annotated[
    str,
    typer.Option(
        help="Preprocessing: torchvision, tf, tf_1000, caffe, raw, whole, letterbox; default: the data set's."
    ),
]
Address = Annotated[str, typer.Option(help="Address of the target: user@host, or a host of ssh's configuration.")]

Format = Annotated[str, typer.Option(help="Output format: table, md, csv, latex or json.")]
FormatWithoutLatex = Annotated[str, typer.Option(help="Output format: table, md, csv or json.")]
Json = Annotated[bool, typer.Option("--json", help="The same as --format json.")]
OneTable = Annotated[
    str, typer.Option(help="Print only the table of this name; CSV prints one table, by default the first.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]


OnlyModels = Annotated[str, typer.Option("--model", help="Only rows of these networks.")]
OnlyWidths = Annotated[str, typer.Option(*WIDTH, help="Only rows of these widths α.")]
OnlyResolutions = Annotated[str, typer.Option(*RESOLUTION, help="Only rows of these input sides ρ.")]
OnlyPrecisions = Annotated[str, typer.Option("--precision", help="Only rows of these precisions: fp32, int8.")]
OnlyRuntimes = Annotated[str, typer.Option("--runtime", help="Only rows of these runtimes.")]
OnlyTargets = Annotated[str, typer.Option("--target", help="Only rows of these targets.")]
OnlyThreads = Annotated[str, typer.Option("--threads", help="Only rows of these numbers of threads.")]


def resolved(format: str, *, json: bool) -> str:
    """Return the format to print: JSON if `--json` is given, otherwise the format that `--format` names."""
    return "json" if json else format


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepOptions:
    """The options that change a sweep, as the user typed them, mostly comma-separated lists; empty means no change."""

    target: str = ""
    model: str = ""
    width: str = ""
    resolution: str = ""
    precision: str = ""
    quantization: str = ""
    runtime: str = ""
    threads: str = ""
    batch: str = ""
    weights: str = ""
    weights_dir: str = ""
    dataset: str = ""
    preprocessing: str = ""
    classes: str = ""
    input: str = ""
    input_data: str = ""
    task: str = ""
    decode: str = ""
    calibration: str = ""
    preset: str = ""
    time_limit: str = ""
    budget: str = ""
    sustained: str = ""
    stages: str = ""
    convolutional: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOptions:
    """The options that change a training, as the user typed them; an empty text means no change."""

    epochs: str = ""
    optimizer: str = ""
    rate: str = ""
    batch: str = ""
    augmentation: str = ""
