"""The command that shows the pictures of a data set."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Show the pictures of a data set with their labels.")


@app.callback()
def _datasets() -> None: ...


@app.command()
def show(
    dataset: Annotated[str, typer.Argument(help="A data set: scenes, digits, image_folder:path, cifar10:path, ...")],
    split: Annotated[str, typer.Option(help="The split to show: test, calibration or train.")] = "test",
    count: Annotated[int, typer.Option(help="Number of pictures, spread evenly over the split.")] = 24,
    out: Annotated[Path | None, typer.Option(help="The .png file to write; default: named after the data set.")] = None,
) -> None:
    """Write a contact sheet: pictures with their numbers, classes, boxes and masks."""
    from edgebench.foundation import files
    from edgebench.images import contact

    file = out or Path(f"{dataset.partition(':')[0]}-{split}.png")
    files.write(file, contact.png(dataset, split, count), "name another file with --out")
    typer.echo(file)
