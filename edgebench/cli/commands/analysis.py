"""The commands that answer questions about networks and results; each calls a module of `edgebench.analysis`."""

from pathlib import Path
from typing import Annotated

import typer

from edgebench.cli.exit_codes import BROKEN, FOUND, NOTHING
from edgebench.cli.options import (
    RESOLUTION,
    WIDTH,
    Format,
    FormatWithoutLatex,
    Json,
    Models,
    OneTable,
    OnlyModels,
    OnlyPrecisions,
    OnlyResolutions,
    OnlyRuntimes,
    OnlyTargets,
    OnlyThreads,
    OnlyWidths,
    Precisions,
    Quiet,
    Resolutions,
    Results,
    SweepOptions,
    Widths,
    resolved,
)
from edgebench.foundation.errors import RequestError, require


def describe(
    network: Annotated[
        str, typer.Argument(help="A network such as mobilenet_v2, a file such as net.onnx, or a row of results.")
    ] = "",
    width: Annotated[float, typer.Option(*WIDTH, help="Width multiplier α.")] = 1.0,
    resolution: Annotated[
        int | None, typer.Option(*RESOLUTION, help="Side ρ of the input, pixels; default: the published network's.")
    ] = None,
    classes: Annotated[int | None, typer.Option(help="Number of classes; default: the published network's.")] = None,
    all: Annotated[bool, typer.Option("--all", help="List all networks, one line each.")] = False,
    fields: Annotated[
        bool,
        typer.Option(
            "--fields", help="Also show the part of the image that each layer sees, and rows that no window reads."
        ),
    ] = False,
    memory: Annotated[bool, typer.Option("--memory", help="Also show the memory of training.")] = False,
    lessons: Annotated[
        bool, typer.Option("--lessons", help="Also show what sharing weights and stacking small kernels save.")
    ] = False,
    sliding: Annotated[
        bool,
        typer.Option(
            "--sliding", help="Show instead what a larger image costs, window by window or in one pass of convolutions."
        ),
    ] = False,
    format: Format = "table",
    table: OneTable = "",
) -> None:
    """Show what a network costs on paper: shapes, parameters, multiply-adds, memory, layer by layer."""
    from edgebench.analysis import describe
    from edgebench.cli import terminal

    if sliding:
        return terminal.show_sheets("describe", [describe.sliding(network, width, resolution, classes)], format, table)
    is_whole = format == "json" or table  # JSON contains every topic, and --table can name any topic
    chosen = {"fields": fields, "memory": memory, "lessons": lessons}
    more = [topic for topic, is_asked in chosen.items() if is_asked or is_whole]
    if describe.is_given(network):
        sheets = describe.given(network)
    else:
        sheets = describe.every_network() if all else describe.network(network, width, resolution, classes, more)
    return terminal.show_sheets("describe", sheets, format, table)


def inspect(
    model: Annotated[str, typer.Argument(help="A file: net.onnx, net.tflite, net.tflite:signature.")],
    input: Annotated[
        list[str] | None,
        typer.Option(help="Shape of an input that has open axes: 1x3x224x224, ids:1x128; repeat for each input."),
    ] = None,
    format: Format = "table",
    table: OneTable = "",
) -> None:
    """Show what is in a model's file without running it: inputs, operators, cost, and the `run` command for it."""
    from edgebench.analysis import inspect
    from edgebench.cli import terminal

    require("format", format, terminal.FORMATS)
    require("table", table, inspect.TABLES, may_be_empty=True)
    terminal.show_sheets("inspect", inspect.sheets(model, ",".join(input or ())), format, table)


def evaluate(
    artifact: Annotated[
        str, typer.Argument(help="An artifact: mobilenet_v1-0.25@96/int8, or a row: results/default:...")
    ],
    target: Annotated[str, typer.Option(help="The target whose runtime evaluates it.")] = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="Threads per inference.")] = 1,
    diagram: Annotated[
        Path | None, typer.Option(help="Draw the reliability diagram into this file: .svg, .png or .pdf.")
    ] = None,
    format: Format = "table",
    table: OneTable = "",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show an artifact's accuracy, its loss through int8, the layers that lose most, and operators left in float."""
    from edgebench import pipeline
    from edgebench.analysis import evaluate, reliability, why
    from edgebench.cli import terminal
    from edgebench.results import drawing

    format = resolved(format, json=json)
    require("format", format, terminal.FORMATS)
    require("table", table, evaluate.TABLES, may_be_empty=True)
    if diagram:
        drawing.check(diagram.suffix.removeprefix("."))
    with terminal.progress(quiet=quiet) as show:
        card, accuracy = pipeline.evaluate(why.artifact_of(artifact), target, threads, show)
    if diagram:
        reliability.write(diagram, card, accuracy)
    terminal.show_sheets("evaluate", evaluate.sheets(card, accuracy), format, table)


def choose(
    results: Annotated[list[Path] | None, typer.Argument(help="Results folders, such as results/default.")] = None,
    published: Annotated[
        str, typer.Option(help="Choose among the published rows of a board instead, such as rpi4.")
    ] = "",
    model: OnlyModels = "",
    width: OnlyWidths = "",
    resolution: OnlyResolutions = "",
    precision: OnlyPrecisions = "",
    runtime: OnlyRuntimes = "",
    target: OnlyTargets = "",
    threads: OnlyThreads = "",
    dataset: Annotated[str, typer.Option(help="Only rows of this data set.")] = "",
    task: Annotated[
        str,
        typer.Option(help="Only rows of this task: classification, detection; default for published: classification."),
    ] = "",
    accuracy: Annotated[
        str, typer.Option(help="Which accuracy: measured, or published (of the same network, on ImageNet).")
    ] = "measured",
    objective: Annotated[
        str,
        typer.Option(
            help="What to optimize: minimize latency, p90, total, peak, file, macs or instructions, or maximize"
            " top1, top5, map, miou, iou or agreement; default: the metric of the rows' task, such as top1."
        ),
    ] = "",
    max_latency: Annotated[
        str, typer.Option(help="Limit on p50, or on the mean if only a mean was published: 20ms.")
    ] = "",
    max_p90: Annotated[str, typer.Option(help="Limit on p90: 50ms.")] = "",
    max_total: Annotated[str, typer.Option(help="Limit on p50 plus what an app does around inference: 5ms.")] = "",
    max_peak: Annotated[str, typer.Option(help="Limit on peak memory: 64MiB.")] = "",
    max_file: Annotated[str, typer.Option(help="Limit on the file's size: 5MiB.")] = "",
    max_macs: Annotated[str, typer.Option(help="Limit on multiply-adds: 300M.")] = "",
    max_instructions: Annotated[str, typer.Option(help="Limit on instructions per inference: 120M.")] = "",
    max_drop: Annotated[
        str,
        typer.Option(
            help="Limit on the accuracy lost against the float parent, in points (worse end of the interval): 1."
        ),
    ] = "",
    min_top1: Annotated[str, typer.Option(help="Least top-1, per cent.")] = "",
    min_top5: Annotated[str, typer.Option(help="Least top-5, per cent.")] = "",
    min_map: Annotated[str, typer.Option(help="Least mAP of detectors, per cent.")] = "",
    min_miou: Annotated[str, typer.Option(help="Least mIoU of segmenters, per cent.")] = "",
    min_iou: Annotated[str, typer.Option(help="Least mean IoU of localizers, per cent.")] = "",
    min_agreement: Annotated[str, typer.Option(help="Least agreement with the float parent, per cent.")] = "",
    predicted: Annotated[
        bool, typer.Option("--predicted", help="Also choose among configurations that were predicted, not measured.")
    ] = False,
    any_published: Annotated[
        bool,
        typer.Option(
            "--any-published",
            help="Also choose published rows that time only kernels, use random weights or are estimates.",
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
) -> None:
    """Choose one configuration within limits: the best, the runner-up, ties, and what each limit costs."""
    from edgebench.analysis import choose
    from edgebench.analysis.choose.request import parse
    from edgebench.analysis.choose.sheet import fields, sheet
    from edgebench.cli import terminal
    from edgebench.results.table.selection import Selection

    limits = {
        "max_latency": max_latency, "max_p90": max_p90, "max_total": max_total, "max_peak": max_peak,
        "max_file": max_file, "max_macs": max_macs, "max_instructions": max_instructions, "max_drop": max_drop,
        "min_top1": min_top1, "min_top5": min_top5, "min_map": min_map, "min_miou": min_miou, "min_iou": min_iou,
        "min_agreement": min_agreement,
    }  # fmt: skip
    selection = Selection(
        model=model, width=width, resolution=resolution, precision=precision, runtime=runtime, target=target,
        threads=threads,
    )  # fmt: skip
    request = parse(
        selection=selection, dataset=dataset, task=task, accuracy=accuracy, objective=objective,
        predicted=predicted, any_published=any_published, limits=limits,
    )  # fmt: skip
    answer = choose.answer(results or (), published, request)
    if json:
        terminal.show_json("choose", fields(answer))
    else:
        terminal.show_sheets("choose", [sheet(answer)])
    raise typer.Exit(0 if answer.choice.chosen else NOTHING)


def compare(
    before: Annotated[Path, typer.Argument(help="The results folder A.")],
    after: Annotated[
        list[Path] | None, typer.Argument(help="Other results folders, B; each is compared with A.")
    ] = None,
    published: Annotated[
        bool, typer.Option("--published", help="Compare with the nearest published rows instead of B.")
    ] = False,
    model: OnlyModels = "",
    width: OnlyWidths = "",
    resolution: OnlyResolutions = "",
    precision: OnlyPrecisions = "",
    runtime: OnlyRuntimes = "",
    target: OnlyTargets = "",
    threads: OnlyThreads = "",
    json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
) -> None:
    """Compare two results folders case by case, or one with published rows, and list what else differs."""
    from edgebench.analysis import compare
    from edgebench.analysis.compare.folders import Contrast, contrast
    from edgebench.analysis.compare.published import Citations, beside_published
    from edgebench.cli import terminal
    from edgebench.results.table.selection import Selection

    if bool(after) == published:
        raise RequestError("wanted either a second results folder or --published, found neither or both")
    selection = Selection(
        model=model, width=width, resolution=resolution, precision=precision, runtime=runtime, target=target,
        threads=threads,
    )  # fmt: skip
    comparisons: list[Contrast | Citations]
    comparisons = [contrast(before, folder, selection) for folder in after or ()]
    if published:
        comparisons = [beside_published(before, selection)]
    if json:
        found = [compare.fields(comparison) for comparison in comparisons]
        terminal.show_json("compare", found[0] if len(found) == 1 else {"comparisons": found})
    else:
        terminal.show_sheets("compare", [sheet for one in comparisons for sheet in compare.sheets(one)])


def predict(
    results: Results,
    sweep: Annotated[
        str, typer.Argument(help="A sweep with the networks and sizes to predict; default: the folder's sweep.")
    ] = "",
    target: Annotated[str, typer.Option(help="Only these targets.")] = "",
    model: Models = "",
    width: Widths = "",
    resolution: Resolutions = "",
    precision: Precisions = "",
    format: FormatWithoutLatex = "table",
) -> None:
    """Predict latency and metric of unmeasured cells, with intervals, from six or more measured sizes of a network."""
    from edgebench.analysis.predict import outlook, own_sweep, sheet
    from edgebench.cli import reader, terminal

    require("format", format, terminal.FORMATS)
    options = SweepOptions(target=target, model=model, width=width, resolution=resolution, precision=precision)
    predictions = outlook(results, reader.grid(own_sweep(results), sweep, options))
    terminal.show_sheets("predict", [sheet(predictions)], format)
    raise typer.Exit(NOTHING if predictions.cells and not predictions.is_answered else 0)


def why(
    row: Annotated[str, typer.Argument(help="A row: results/default:mobilenet_v1-0.25@96/int8, or some words of it.")],
    other: Annotated[str, typer.Argument(help="Another row, to compare with.")] = "",
    address: Annotated[str, typer.Option(help="Address of the target: user@host.")] = "",
    format: FormatWithoutLatex = "table",
    table: OneTable = "",
    quiet: Quiet = False,
) -> None:
    """Explain a row's latency by operators, the machine's roofline, threads and float nodes; or compare two rows."""
    from edgebench.analysis import why as explaining
    from edgebench.cli import terminal

    require("format", format, terminal.FORMATS)
    require("table", table, explaining.TABLES, may_be_empty=True)
    with terminal.progress(quiet=quiet) as show:
        sheets = explaining.why(row, other, address, show)
    terminal.show_sheets("why", sheets, format, table)


def export_script(
    row: Annotated[str, typer.Argument(help="A row: results/default:mobilenet_v1-0.25@96/int8, or some words of it.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write; default: standard output.")
    ] = None,
) -> None:
    """Write a Python script that measures a row again and needs only numpy and the row's runtime."""
    from edgebench.analysis import export_script
    from edgebench.foundation import files

    text = export_script.script(row)
    if output:
        files.write(output, text.encode(), "name another file with -o")
    else:
        typer.echo(text, nl=False)


def take(
    row: Annotated[str, typer.Argument(help="A row: results/default:mobilenet_v1-0.25@96/int8, or some words of it.")],
    folder: Annotated[Path | None, typer.Argument(help="A new folder; default: one named after the network.")] = None,
) -> None:
    """Write a row's model file, its description and a script that runs it on a picture, to take to a device."""
    from edgebench.analysis.take import take
    from edgebench.foundation import escape

    written, why = take(row, folder)
    for path in written:
        typer.echo(escape.terminal(str(path)))
    if why:
        typer.echo(escape.terminal(why), err=True)


def lint(
    table: Annotated[Path, typer.Argument(help="A results folder, or any CSV.")],
    columns: Annotated[
        str,
        typer.Option(
            help="Map edgebench's column names to the file's own: p50_ms=latency,width=alpha; an unknown name lists"
            " edgebench's names. For a column with full names of networks: model=mlperf, timm, ncnn or a pattern,"
            " model={architecture}_{width}_{resolution}[-{precision}]."
        ),
    ] = "",
    format: Format = "table",
) -> None:
    """Find implausible figures: a larger network that is faster, int8 slower than float, unusual accuracies."""
    from edgebench.analysis import lint
    from edgebench.cli import terminal

    review = lint.review(table, columns)
    terminal.show_sheets("lint", [lint.sheet(review)], format)
    raise typer.Exit(FOUND if review.findings else 0)


def published(
    kind: Annotated[str, typer.Option(help="List only accuracy, latency or quantization; default: all.")] = "",
    model: OnlyModels = "",
    width: OnlyWidths = "",
    resolution: OnlyResolutions = "",
    precision: OnlyPrecisions = "",
    runtime: OnlyRuntimes = "",
    target: OnlyTargets = "",
    threads: OnlyThreads = "",
    format: Format = "table",
    table: OneTable = "",
) -> None:
    """List published accuracies, latencies on Raspberry Pis and costs of quantization, each with its source."""
    from edgebench.analysis import published as citation
    from edgebench.cli import terminal
    from edgebench.results.table.selection import Selection

    selection = Selection(
        model=model, width=width, resolution=resolution, precision=precision, runtime=runtime, target=target,
        threads=threads,
    )  # fmt: skip
    terminal.show_sheets("published", citation.sheets(kind, selection), format, table)


def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")] = False,
) -> None:
    """Show what is installed, what works, what is missing and how to install it; exit with 1 if something is broken."""
    from edgebench.analysis import doctor
    from edgebench.cli import terminal

    diagnosis = doctor.diagnose()
    if json:
        terminal.show_json("doctor", doctor.fields(diagnosis))
    else:
        terminal.show_sheets("doctor", doctor.sheets(diagnosis), "table")
    raise typer.Exit(0 if diagnosis.is_healthy else BROKEN)
