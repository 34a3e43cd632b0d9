"""Measure a sweep, train its networks, list the trained weights."""

from typing import TYPE_CHECKING, Annotated

import typer

from edgebench.cli import exit_codes
from edgebench.cli.exit_codes import SOME_FAILED
from edgebench.cli.options import (
    RESOLUTION,
    WIDTH,
    Models,
    Preprocessing,
    Quiet,
    Resolutions,
    SweepOptions,
    TrainingOptions,
    Widths,
)
from edgebench.foundation.errors import RequestError

if TYPE_CHECKING:
    from edgebench.schema.sweep import Sweep

EXAMPLES = (
    "edgebench run --model mobilenet_v2 --width 0.35,0.5 --resolution 96",
    "edgebench run --model net.onnx --calibration photos --time-limit 3m",
)


def run(
    sweep: Annotated[
        str, typer.Argument(help="A sweep: my.toml, or a shipped one: default, tradeoff, digits, grid, heavy.")
    ] = "",
    target: Annotated[str, typer.Option(help="Machines to measure on; default: cpu.")] = "",
    address: Annotated[
        str, typer.Option(help="Address of the target: user@host, or a host of ssh's configuration.")
    ] = "",
    model: Annotated[
        str,
        typer.Option(
            help="Networks or model files to measure instead of a sweep: net.onnx, net.tflite, nets.py:function."
        ),
    ] = "",
    width: Annotated[str, typer.Option(*WIDTH, help="Width multipliers α; default with --model: 1.")] = "",
    resolution: Annotated[
        str,
        typer.Option(*RESOLUTION, help="Sides ρ of the input, pixels; default with --model: native."),
    ] = "",
    precision: Annotated[str, typer.Option(help="Precisions: fp32, fp16, bf16, int8; default: fp32,int8.")] = "",
    quantization: Annotated[
        str,
        typer.Option(
            help="int8 schemes, such as per_tensor+equalized, s8s8+calibration=photos, qat; default: per_channel."
        ),
    ] = "",
    runtime: Annotated[str, typer.Option(help="Inference engines, or all; default: onnxruntime.")] = "",
    threads: Annotated[str, typer.Option(help="Threads per inference; default: 1.")] = "",
    batch: Annotated[str, typer.Option(help="Images per inference; default: 1.")] = "",
    weights: Annotated[
        str,
        typer.Option(
            help="Weights: trained (on first use), random, none, hub:name, or a .pth, .safetensors or .h5"
            " file; default: trained."
        ),
    ] = "",
    weights_dir: Annotated[
        str, typer.Option(help="A folder of weights from Keras with their published names, one for each network.")
    ] = "",
    dataset: Annotated[
        str,
        typer.Option(
            help="Images to train, calibrate and evaluate on: image_folder:path, cifar10:path, ...; default: bundled"
            " images for the network's task."
        ),
    ] = "",
    preprocessing: Preprocessing = "",
    classes: Annotated[str, typer.Option(help="Number of classes; default: the data set's, or the file's.")] = "",
    input: Annotated[
        list[str] | None,
        typer.Option(help="Input shape of your own model with open axes, once per input: 1x3x224x224, ids:1x128."),
    ] = None,
    input_data: Annotated[
        str,
        typer.Option(help="Input values of your own model: a folder of name.npy, .npz, or images; default: random."),
    ] = "",
    task: Annotated[
        str, typer.Option(help="Task of the models: classification, detection; default: that of each model.")
    ] = "",
    decode: Annotated[
        str, typer.Option(help="Output layout of your own detector: yolov8, yolov5, ssd, raw, or yolov8+score=0.001.")
    ] = "",
    calibration: Annotated[
        str, typer.Option(help="Calibration images: a folder, digits, cifar10:path, ...; default: the data set's.")
    ] = "",
    preset: Annotated[
        str,
        typer.Option(
            help="standard: until the interval is narrow; nightly: six processes; quick: three; default: standard."
        ),
    ] = "",
    time_limit: Annotated[
        str, typer.Option(help="Limit on the measuring time: 90s, 3m, 1h; default: none, 3m for the default sweep.")
    ] = "",
    budget: Annotated[
        str,
        typer.Option(help="Limit on the total time per target: measure the most informative cells, predict the rest."),
    ] = "",
    sustained: Annotated[
        str, typer.Option(help="At the end, run each case this long without a pause, to see the effect of heat: 10m.")
    ] = "",
    stages: Annotated[
        bool,
        typer.Option(
            "--stages", help="Also time what an app does around inference: decode, resize, normalize, post-process."
        ),
    ] = False,
    convolutional: Annotated[
        bool,
        typer.Option("--convolutional", help="Turn dense layers into convolutions, for a map of scores at a larger ρ."),
    ] = False,
    name: Annotated[
        str, typer.Option(help="Name of the new or existing folder under results/; default: the sweep's name.")
    ] = "",
    shard: Annotated[
        str, typer.Option(help="Measure only a fixed part of the cases, 2/8 for the second eighth; then use merge.")
    ] = "",
    jobs: Annotated[
        str,
        typer.Option(help="Processes that train, export and evaluate at the same time, before anything is measured."),
    ] = "",
    scheduler: Annotated[
        str, typer.Option(help="Workers that do this instead, on other machines: tls://host:8786.")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list the cases, what is cached, and the expected time.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
    json_lines: Annotated[
        bool, typer.Option("--json-lines", help="Print progress and table as JSON documents, one per line.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Measure a sweep (default: `default`) and show its table. Options override the sweep; most take comma lists."""
    from edgebench import pipeline
    from edgebench.cli import reader, terminal

    options = SweepOptions(
        target=target, model=model, width=width, resolution=resolution, precision=precision, quantization=quantization,
        runtime=runtime, threads=threads, batch=batch, weights=weights, weights_dir=weights_dir, dataset=dataset,
        preprocessing=preprocessing, classes=classes, input=",".join(input or ()), input_data=input_data,
        task=task, decode=decode, calibration=calibration, preset=preset, time_limit=time_limit, budget=budget,
        sustained=sustained, stages="yes" if stages else "", convolutional="yes" if convolutional else "", name=name,
    )  # fmt: skip
    requested = reader.sweep(sweep, options)
    part, builders = reader.shard(shard, requested), reader.jobs(jobs, scheduler, requested)
    json = json or json_lines
    with terminal.progress(quiet=quiet, json_lines=json_lines) as show:
        if dry_run:
            forecasts = pipeline.forecast(requested, show, address, part, builders)
        else:
            outcome = pipeline.run(requested, show, address, part, builders, scheduler)
    if dry_run:
        terminal.show_forecast(forecasts, json=json, shard=shard)
        return
    if json:
        terminal.show_rows("run", outcome.table)
    else:
        terminal.show_table(outcome.table)
    if requested.budget and not outcome.interrupted and not json:
        _show_predictions(requested)
    if outcome.interrupted and not quiet:
        terminal.show_end("interrupted: the table shows the cases measured so far; run the same command to continue")
    failed = SOME_FAILED if outcome.table.has_failures else 0
    raise typer.Exit(exit_codes.ended_by(outcome.interrupted) if outcome.interrupted else failed)


def _show_predictions(sweep: "Sweep") -> None:
    """Show predicted latencies and metrics of the cells that the budget left unmeasured."""
    from edgebench.analysis.predict import outlook, sheet
    from edgebench.cli import terminal
    from edgebench.results.folders import results_folder

    terminal.show_sheets("run", [sheet(outlook(results_folder(sweep.name), sweep))])


def train(
    sweep: Annotated[str, typer.Argument(help="Train the networks of this sweep: default, grid, my.toml.")] = "",
    model: Models = "",
    width: Widths = "",
    resolution: Resolutions = "",
    dataset: Annotated[str, typer.Option(help="Images to train on: digits, image_folder:path, cifar10:path.")] = "",
    preprocessing: Preprocessing = "",
    epochs: Annotated[
        str, typer.Option(help="Number of epochs at full resolution; default: train at 32 pixels, then fine-tune.")
    ] = "",
    optimizer: Annotated[str, typer.Option(help="Optimizer: adamw or sgd.")] = "",
    rate: Annotated[str, typer.Option(help="The highest learning rate of a cosine schedule.")] = "",
    batch: Annotated[str, typer.Option(help="Images per step.")] = "",
    augmentation: Annotated[str, typer.Option(help="Augmentations: flip, shift, none; default: the data set's.")] = "",
    base: Annotated[
        bool, typer.Option("--base", help="Make the base weights from which detectors are trained.")
    ] = False,
    device: Annotated[str, typer.Option(help="With --base: cpu or cuda; default: a GPU if there is one.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Print the trained weights as JSON.")] = False,
    quiet: Quiet = False,
) -> None:
    """Train a sweep's networks unattended; reuse finished trainings, and resume interrupted ones."""
    if base:
        _train_bases(model, width, device)
        return
    if device:
        raise RequestError(f"--device is for --base, found --device {device} without --base; leave it out")
    from edgebench import pipeline
    from edgebench.cli import reader, terminal

    options = TrainingOptions(
        epochs=epochs, optimizer=optimizer, rate=rate, batch=batch, augmentation=augmentation
    )  # fmt: skip
    networks = SweepOptions(
        model=model, width=width, resolution=resolution, dataset=dataset, preprocessing=preprocessing
    )  # fmt: skip
    recipe = reader.training(options)
    requested = reader.sweep(sweep, networks)
    with terminal.progress(quiet=quiet) as show:
        trained = pipeline.train(requested, recipe, show)
    terminal.show_weights("train", trained.weights, json=json)
    if trained.interrupted:
        if not quiet:
            terminal.show_end("interrupted: the table shows what was trained so far; run the same command to continue")
        raise typer.Exit(exit_codes.ended_by(trained.interrupted))
    raise typer.Exit(SOME_FAILED if trained.failures else 0)


def _train_bases(model: str, width: str, device: str) -> None:
    """Make base weights of the named detectors, by default of four; print the path of each file and how it was made."""
    from edgebench.cli import reader
    from edgebench.train.base import made, remake

    for line in remake(made(), reader.detectors(model, width), device):
        typer.echo(line)
    typer.echo("edgebench train and edgebench run start from these weights at every resolution")


def weights(json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False) -> None:
    """List the weights in the cache with their accuracies."""
    from edgebench.cli import terminal
    from edgebench.foundation import cache
    from edgebench.schema.cards import Weights

    terminal.show_weights("weights", cache.cards(Weights), json=json)
