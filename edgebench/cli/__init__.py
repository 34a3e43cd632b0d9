"""argv -> one call -> exit code: no logic, no numbers."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from edgebench import __version__
from edgebench.foundation.errors import EdgebenchError, RequestError
from edgebench.schema.cards import Weights

SOME_FAILED, NOTHING, FOUND, BROKEN, REFUSED, INTERRUPTED = 1, 1, 1, 1, 2, 130

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Measure vision networks on the machines they are meant for: latency, memory, accuracy, int8 against float.",
    epilog="Exit codes: 0 answered, 1 some case failed (see its row), nothing keeps the limits, lint found something or"
    " doctor something broken, 2 the request cannot be met, 130 interrupted.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"edgebench {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
) -> None: ...


@app.command()
def run(
    context: typer.Context,
    sweep: Annotated[str, typer.Argument(help="A sweep: my.toml, or a shipped one: default, grid, heavy.")] = "",
    target: Annotated[str, typer.Option(help="Machines to measure on.")] = "",
    address: Annotated[
        str, typer.Option(help="Where the target is: user@host, or a name of ssh's configuration.")
    ] = "",
    model: Annotated[
        str, typer.Option(help="Networks, or files: net.onnx, net.tflite, nets.py:function; instead of a sweep's.")
    ] = "",
    width: Annotated[str, typer.Option(help="Width multipliers.")] = "",
    resolution: Annotated[str, typer.Option(help="Input sides, pixels.")] = "",
    precision: Annotated[str, typer.Option(help="fp32, fp16, bf16, int8.")] = "",
    quantization: Annotated[
        str, typer.Option(help="How int8 is made: per_channel, per_tensor+equalized, s8s8+calibration=photos, qat, ...")
    ] = "",
    runtime: Annotated[str, typer.Option(help="Inference engines.")] = "",
    threads: Annotated[str, typer.Option(help="Threads an inference may use.")] = "",
    batch: Annotated[str, typer.Option(help="Images an inference.")] = "",
    weights: Annotated[
        str, typer.Option(help="trained (on first use), random, none, or a .pth or .safetensors file.")
    ] = "",
    dataset: Annotated[
        str, typer.Option(help="Images to train, calibrate and evaluate on: digits, image_folder:path, cifar10:path.")
    ] = "",
    preprocessing: Annotated[str, typer.Option(help="torchvision, tf, tf_1000, caffe; else the data set's own.")] = "",
    classes: Annotated[str, typer.Option(help="Outputs of the network; else the data set's, or the file's.")] = "",
    input: Annotated[str, typer.Option(help="A given model's input where it is open: 1x3x224x224.")] = "",
    calibration: Annotated[
        str, typer.Option(help="Images that int8 is made on, else the data set's: a folder, digits, cifar10:path, ...")
    ] = "",
    preset: Annotated[str, typer.Option(help="standard; nightly: six processes a row; quick: a look at three.")] = "",
    time_limit: Annotated[str, typer.Option(help="Bound of the measuring: 90s, 3m, 1h.")] = "",
    budget: Annotated[
        str, typer.Option(help="Bound of everything on a target: measures what tells most, predicts the rest.")
    ] = "",
    sustained: Annotated[
        str, typer.Option(help="At the end, run each case so long without a pause, for what heat does: 10m.")
    ] = "",
    name: Annotated[str, typer.Option(help="Folder under results/; the same name adds to it.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the cases, what is cached and the time.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Measure a sweep and show the table. Most options take comma lists. Without arguments: the default sweep."""
    from edgebench import pipeline
    from edgebench.analysis.predict import outlook, sheet
    from edgebench.cli import options, terminal
    from edgebench.results.folders import results_folder

    asked = options.sweep(sweep, context.params)
    if dry_run:
        terminal.show_forecast(pipeline.forecast(asked, address))
        return
    with terminal.progress(quiet=quiet) as show:
        outcome = pipeline.run(asked, show, address)
    (terminal.show_json if json else terminal.show_table)(outcome.table)
    if asked.budget and not outcome.interrupted and not json:
        left = outlook(results_folder(asked.name), asked)
        terminal.show_sheets([sheet(left)], "table")
    raise typer.Exit(INTERRUPTED if outcome.interrupted else SOME_FAILED if outcome.table.has_failures else 0)


@app.command()
def train(
    context: typer.Context,
    sweep: Annotated[str, typer.Argument(help="A sweep, whose networks are trained: default, grid, my.toml.")] = "",
    model: Annotated[str, typer.Option(help="Networks; instead of a sweep's.")] = "",
    width: Annotated[str, typer.Option(help="Width multipliers.")] = "",
    resolution: Annotated[str, typer.Option(help="Input sides, pixels.")] = "",
    dataset: Annotated[str, typer.Option(help="digits, image_folder:path, cifar10:path.")] = "",
    preprocessing: Annotated[str, typer.Option(help="torchvision, tf, tf_1000, caffe; else the data set's own.")] = "",
    epochs: Annotated[str, typer.Option(help="At the resolution itself; else at 32 px, then fine-tuned.")] = "",
    optimizer: Annotated[str, typer.Option(help="adamw or sgd.")] = "",
    rate: Annotated[str, typer.Option(help="The highest learning rate; it falls along a cosine.")] = "",
    batch: Annotated[str, typer.Option(help="Images a step.")] = "",
    augmentation: Annotated[str, typer.Option(help="flip, shift, none; else the data set's own.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Print what was trained as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Train a sweep's networks, unattended; what is trained already is kept, and a killed one goes on."""
    from edgebench import pipeline
    from edgebench.cli import options, terminal

    recipe = options.training(context.params)
    asked = options.sweep(sweep, context.params | {"batch": ""})  # that of the training, not of an inference
    with terminal.progress(quiet=quiet) as show:
        trained = pipeline.train(asked, recipe, show)
    terminal.show_weights(trained.weights, json=json)
    raise typer.Exit(SOME_FAILED if trained.failures else 0)


@app.command()
def weights(json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False) -> None:
    """List the weights in the cache, and how good they were on their data sets."""
    from edgebench.cli import terminal
    from edgebench.foundation import cache

    terminal.show_weights(cache.cards(Weights), json=json)


@app.command()
def report(
    results: Annotated[Path, typer.Argument(help="A results folder, such as results/default.")],
    format: Annotated[
        str, typer.Option(help="What is printed: table, md, csv, latex, json or pytest-benchmark.")
    ] = "table",
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Render a results folder's tables and its page again from its journal."""
    from edgebench.cli import terminal
    from edgebench.results import pytest_benchmark, write_reports

    format = "json" if json else format
    terminal.require_format(format, (*terminal.FORMATS, pytest_benchmark.FORM))
    table = write_reports(results)
    if format == pytest_benchmark.FORM:
        typer.echo(pytest_benchmark.benchmark(results))
    else:
        terminal.show_report(table, format)


@app.command()
def figures(
    results: Annotated[Path, typer.Argument(help="A results folder, such as results/default.")],
    format: Annotated[str, typer.Option(help="svg, png or pdf.")] = "svg",
) -> None:
    """Write the figures of a results folder's page as files for a paper, into the folder."""
    from edgebench.results import draw_figures

    for path in draw_figures(results, format):
        typer.echo(path)


@app.command()
def describe(
    network: Annotated[str, typer.Argument(help="A network of the shelf.")] = "",
    width: Annotated[float, typer.Option(help="Width multiplier.")] = 1.0,
    resolution: Annotated[int, typer.Option(help="Input side, pixels; else the native one.")] = 0,
    classes: Annotated[int, typer.Option(help="Outputs; else the published network's.")] = 0,
    all: Annotated[bool, typer.Option("--all", help="One line a network.")] = False,
    format: Annotated[str, typer.Option(help="table, md, csv, latex or json.")] = "table",
) -> None:
    """Show what a network costs on paper: shapes, parameters, multiply-adds, memory, layer by layer."""
    from edgebench.analysis import describe
    from edgebench.cli import terminal

    sheets = describe.every_network() if all else describe.network(network, width, resolution, classes)
    terminal.show_sheets(sheets, format)


@app.command()
def evaluate(
    artifact: Annotated[str, typer.Argument(help="A cached artifact, such as mobilenet_v1-0.25@96/int8.")],
    target: Annotated[str, typer.Option(help="The machine whose runtime answers.")] = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="Threads an inference may use.")] = 1,
    format: Annotated[str, typer.Option(help="table, md, csv, latex or json.")] = "table",
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Show how far to trust an artifact: its accuracy, what int8 changed, which layer costs most, what stayed float."""
    from edgebench import pipeline
    from edgebench.analysis import evaluate
    from edgebench.cli import terminal

    format = "json" if json else format
    terminal.require_format(format)
    with terminal.progress(quiet=quiet) as show:
        card, accuracy = pipeline.evaluate(artifact, target, threads, show)
    terminal.show_sheets(evaluate.sheets(card, accuracy), format)


@app.command()
def choose(
    context: typer.Context,
    results: Annotated[Path | None, typer.Argument(help="A results folder, such as results/default.")] = None,
    published: Annotated[str, typer.Option(help="Instead of a folder: the published rows of a board, rpi4.")] = "",
    target: Annotated[str, typer.Option(help="Rows of this machine only.")] = "",
    precision: Annotated[str, typer.Option(help="Rows of this precision only: fp32, int8.")] = "",
    dataset: Annotated[str, typer.Option(help="Rows of this data set only.")] = "",
    accuracy: Annotated[str, typer.Option(help="measured, or published: ImageNet's of the same network.")] = "measured",
    objective: Annotated[
        str,
        typer.Option(help="The least latency, p90, peak, file, macs, instructions; the most top1, top5, agreement."),
    ] = "top1",
    max_latency: Annotated[str, typer.Option(help="Bound of p50: 20ms.")] = "",
    max_p90: Annotated[str, typer.Option(help="Bound of p90: 50ms.")] = "",
    max_peak: Annotated[str, typer.Option(help="Bound of peak memory: 64MiB.")] = "",
    max_file: Annotated[str, typer.Option(help="Bound of the file: 5MiB.")] = "",
    max_macs: Annotated[str, typer.Option(help="Bound of multiply-adds: 300M.")] = "",
    max_instructions: Annotated[str, typer.Option(help="Bound of an inference's instructions: 120M.")] = "",
    min_top1: Annotated[str, typer.Option(help="Least top-1, per cent.")] = "",
    min_top5: Annotated[str, typer.Option(help="Least top-5, per cent.")] = "",
    min_agreement: Annotated[str, typer.Option(help="Least agreement with the float parent, per cent.")] = "",
    predicted: Annotated[bool, typer.Option("--predicted", help="Also what was not measured, as predicted.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
) -> None:
    """Choose one configuration within limits: the best, the runner-up, ties, what binds and what it costs."""
    from edgebench.analysis import choose
    from edgebench.analysis.choose.asked import asked
    from edgebench.analysis.choose.sheet import sheet
    from edgebench.cli import terminal

    answer = choose.answer(results, published, asked(context.params))
    if json:
        terminal.show_json(answer)
    else:
        terminal.show_sheets([sheet(answer)], "table")
    raise typer.Exit(0 if answer.choice.chosen else NOTHING)


@app.command()
def compare(
    before: Annotated[Path, typer.Argument(help="A results folder, A.")],
    after: Annotated[Path | None, typer.Argument(help="Another, B.")] = None,
    published: Annotated[bool, typer.Option("--published", help="Instead of B: the nearest published rows.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
) -> None:
    """Compare two results folders case by case, or one with the published rows; say what differs around them."""
    from edgebench.analysis import compare
    from edgebench.analysis.compare.folders import contrast
    from edgebench.analysis.compare.published import beside_published
    from edgebench.cli import terminal

    if (after is None) != published:
        raise RequestError("wanted a second results folder, or --published; found neither or both")
    found = contrast(before, after) if after else beside_published(before)
    terminal.show_json(found) if json else terminal.show_sheets(compare.sheets(found), "table")


@app.command()
def predict(
    context: typer.Context,
    results: Annotated[Path, typer.Argument(help="A results folder, such as results/default.")],
    sweep: Annotated[str, typer.Argument(help="A sweep whose networks and sizes to predict; else the folder's.")] = "",
    target: Annotated[str, typer.Option(help="Machines that were measured.")] = "",
    model: Annotated[str, typer.Option(help="Networks; instead of a sweep's.")] = "",
    width: Annotated[str, typer.Option(help="Width multipliers.")] = "",
    resolution: Annotated[str, typer.Option(help="Input sides, pixels.")] = "",
    precision: Annotated[str, typer.Option(help="fp32, fp16, bf16, int8.")] = "",
    format: Annotated[str, typer.Option(help="table, md, csv or json.")] = "table",
) -> None:
    """Predict the latencies of what was not measured, with intervals, from six and more measured cells of its kind."""
    from edgebench.analysis.predict import outlook, own_sweep, sheet
    from edgebench.cli import options, terminal

    terminal.require_format(format)
    asked = options.grid(own_sweep(results), sweep, context.params)
    found = outlook(results, asked)
    terminal.show_sheets([sheet(found)], format)
    raise typer.Exit(NOTHING if found.cells and not found.is_answered else 0)


@app.command()
def why(
    row: Annotated[str, typer.Argument(help="A row: results/default:mobilenet_v1-0.25@96/int8, or words of it.")],
    other: Annotated[str, typer.Argument(help="Another one, to tell the two apart.")] = "",
    address: Annotated[str, typer.Option(help="Where the target is: user@host.")] = "",
    format: Annotated[str, typer.Option(help="table, md, csv or json.")] = "table",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Say where a row's time goes: operators, the machine's roofline, threads, float nodes; and what sets two apart."""
    from edgebench.analysis import why as explaining
    from edgebench.cli import terminal

    terminal.require_format(format)
    with terminal.progress(quiet=quiet) as show:
        sheets = explaining.why(row, other, address, show)
    terminal.show_sheets(sheets, format)


@app.command()
def lint(
    table: Annotated[Path, typer.Argument(help="A results folder, or any CSV.")],
    columns: Annotated[
        str, typer.Option(help="A CSV's own headings: p50_ms=latency,width=alpha; an unknown one lists ours.")
    ] = "",
    format: Annotated[str, typer.Option(help="table, md, csv, latex or json.")] = "table",
) -> None:
    """Look for what cannot be: a larger network that is faster, int8 slower than float, accuracies out of line."""
    from edgebench.analysis import lint
    from edgebench.cli import terminal

    found = lint.review(table, columns)
    terminal.show_sheets([lint.sheet(found)], format)
    raise typer.Exit(FOUND if found.findings else 0)


@app.command()
def published(
    kind: Annotated[str, typer.Option(help="accuracy, latency or quantization; else all.")] = "",
    model: Annotated[str, typer.Option(help="One network.")] = "",
    target: Annotated[str, typer.Option(help="One board: rpi4, rpi5, ...; only latencies have one.")] = "",
    format: Annotated[str, typer.Option(help="table, md, csv, latex or json.")] = "table",
) -> None:
    """List published accuracies, latencies on Raspberry Pis and costs of quantization, each with its source."""
    from edgebench.analysis import published as citation
    from edgebench.cli import terminal

    terminal.show_sheets(citation.sheets(kind, model, target), format)


targets = typer.Typer(invoke_without_command=True, help="List the targets; check one, prepare one.")
app.add_typer(targets, name="targets")


@targets.callback()
def _targets(
    context: typer.Context, format: Annotated[str, typer.Option(help="table, md, csv, latex or json.")] = "table"
) -> None:
    from edgebench.cli import terminal
    from edgebench.deploy import targets as boards

    if not context.invoked_subcommand:
        terminal.show_sheets([boards.listed()], format)


@targets.command()
def check(
    target: Annotated[str, typer.Argument(help="A target, such as rpi4.")],
    address: Annotated[str, typer.Option(help="Where it is: user@host, or a name of ssh's configuration.")] = "",
    format: Annotated[str, typer.Option(help="table, md, csv, latex or json.")] = "table",
) -> None:
    """Say what a target is and how it is now, and what to do about all that would spoil a number."""
    from edgebench.cli import terminal
    from edgebench.deploy import targets as boards
    from edgebench.deploy.targets import checkup

    terminal.require_format(format)
    terminal.show_sheets([checkup.sheet(boards.check(target, address))], format)


@targets.command()
def prepare(
    target: Annotated[str, typer.Argument(help="A target, such as rpi4.")],
    address: Annotated[str, typer.Option(help="Where it is: user@host, or a name of ssh's configuration.")] = "",
    runtime: Annotated[str, typer.Option(help="Runtimes: onnxruntime, litert==2.3.0; else all it lacks.")] = "",
    format: Annotated[str, typer.Option(help="table, md, csv, latex or json.")] = "table",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Bring runtimes to a board, resolved here for its Python and C library: no pip and no network there."""
    from edgebench.cli import terminal
    from edgebench.deploy import targets as boards

    terminal.require_format(format)
    with terminal.progress(quiet=quiet) as show:
        brought = boards.prepare(target, address, runtime, show)
    terminal.show_sheets([brought], format)


class _Nights(TyperGroup):
    """Commands of a nightly: a word that is none of them is a sweep to run."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Let `nightly nightly.toml` be `nightly run nightly.toml`."""
        is_run = bool(args) and args[0] not in (*self.commands, "-h", "--help")
        return super().parse_args(ctx, ["run", *args] if is_run else args)


nights = typer.Typer(
    cls=_Nights,
    no_args_is_help=True,
    help="Measure a sweep every night, cry only when something broke: nightly nightly.toml --history results/nightly.",
    epilog="Exit codes: 0 nothing regressed (also HOST_CHANGE and UNDERPOWERED), 1 a confirmed regression, 2 the"
    " request cannot be met, 3 something was not measured, or is worth nothing.",
)
app.add_typer(nights, name="nightly")
HISTORY = Path("results/nightly")


@nights.command("run")
def nightly_run(
    sweep: Annotated[str, typer.Argument(help="A sweep: nightly.toml, or a shipped one.")],
    history: Annotated[Path, typer.Option(help="Folder of the nights.")] = HISTORY,
    address: Annotated[str, typer.Option(help="Where the sweep's only target is.")] = "",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Measure a night, confirm what is suspect, add it to the history and write its reports. The usual command."""
    from edgebench import nightly
    from edgebench.cli import terminal
    from edgebench.measure.plan import sweeps

    with terminal.progress(quiet=quiet) as show:
        bulletin = nightly.run(sweeps.sweep(sweep), history, show, address)
    terminal.show_bulletin(bulletin)
    raise typer.Exit(nightly.exit_code(bulletin.night))


@nights.command("accept")
def nightly_accept(
    history: Annotated[Path, typer.Argument(help="Folder of the nights.")] = HISTORY,
    reason: Annotated[str, typer.Option(help="Why the change is meant; it is kept.")] = "",
    night: Annotated[str, typer.Option(help="A night's id or the start of its file's name; else the last.")] = "",
    configuration: Annotated[
        list[str] | None, typer.Option(help="One configuration; may be repeated; else all.")
    ] = None,
) -> None:
    """Let a night be what later ones are compared with."""
    from edgebench import nightly

    found = nightly.accept(history, reason, night, tuple(configuration or ()))
    typer.echo(f"accepted night {found.night}: {found.reason}")


@nights.command("report")
def nightly_report(history: Annotated[Path, typer.Argument(help="Folder of the nights.")] = HISTORY) -> None:
    """Write the last night's reports again."""
    from edgebench import nightly
    from edgebench.cli import terminal

    terminal.show_bulletin(nightly.report(history))


@nights.command("replay")
def nightly_replay(
    history: Annotated[Path | None, typer.Argument(help="Folder of the nights.")] = None,
    profile: Annotated[str, typer.Option(help="Instead: a simulated machine: quiet, pi or vm.")] = "",
    inject: Annotated[float, typer.Option(min=1.0, help="Slowdown whose discovery is counted.")] = 1.05,
    seed: Annotated[int, typer.Option(help="Of what is drawn; else the one that quoted figures have.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Decide a history again: its false alarms per 1,000 configuration-nights, and its power by delay."""
    from edgebench.cli import terminal
    from edgebench.nightly import replay

    found = replay.rehearse(history, profile, inject, seed)
    terminal.show_json(found) if json else terminal.show_sheets([replay.sheet(found)], "table")


@app.command()
def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")] = False,
) -> None:
    """Say what is installed, what works here, what is missing and how to get it; 1 where something is broken."""
    from edgebench.analysis import doctor
    from edgebench.cli import terminal

    diagnosis = doctor.diagnose()
    if json:
        terminal.show_json(diagnosis)
    else:
        terminal.show_sheets(doctor.sheets(diagnosis), "table")
    raise typer.Exit(0 if diagnosis.is_healthy else BROKEN)


def main() -> None:
    """Run the command line; what edgebench raises on purpose is one line on standard error."""
    try:
        app()
    except EdgebenchError as error:
        typer.echo(f"edgebench: {' '.join(str(error).split())}", err=True)
        sys.exit(REFUSED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
