"""The options that commands share, with their help, and the values in which a command hands over what was typed.

A reader turns these values into a sweep; here nothing is read or checked, so that `--help` imports nothing heavy.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

Results = Annotated[Path, typer.Argument(help="A results folder, such as results/default.")]
TargetName = Annotated[str, typer.Argument(help="A target, such as rpi4.")]

Models = Annotated[str, typer.Option(help="Networks; instead of a sweep's.")]
Widths = Annotated[str, typer.Option(help="Width multipliers.")]
Resolutions = Annotated[str, typer.Option(help="Input sides, pixels.")]
Precisions = Annotated[str, typer.Option(help="fp32, fp16, bf16, int8.")]
Preprocessing = Annotated[str, typer.Option(help="torchvision, tf, tf_1000, caffe; else the data set's own.")]
Address = Annotated[str, typer.Option(help="Where it is: user@host, or a name of ssh's configuration.")]

Format = Annotated[str, typer.Option(help="table, md, csv, latex or json.")]
FormatWithoutLatex = Annotated[str, typer.Option(help="table, md, csv or json.")]
Json = Annotated[bool, typer.Option("--json", help="The same as --format json.")]
OneTable = Annotated[str, typer.Option(help="Of several tables only this one; CSV is the first without it.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]


def resolved(format: str, *, json: bool) -> str:
    """Return the format that `--format` and `--json` request together: `--json` wins."""
    return "json" if json else format


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepOptions:
    """What was typed to change a sweep, option by option; an empty text changes nothing. Most are comma lists."""

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
    dataset: str = ""
    preprocessing: str = ""
    classes: str = ""
    input: str = ""
    input_data: str = ""
    calibration: str = ""
    preset: str = ""
    time_limit: str = ""
    budget: str = ""
    sustained: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOptions:
    """What was typed to change a training; an empty text changes nothing."""

    epochs: str = ""
    optimizer: str = ""
    rate: str = ""
    batch: str = ""
    augmentation: str = ""
