"""What tests of classifiers by colour share: pictures that each is right on, and the rows of a run."""

import json
from pathlib import Path
from typing import Any

from tests.support.command import cli

DATA = Path(__file__).parent / "data"


def colours(place: Path, count: int = 12) -> str:
    """Write a data set of blue, green and red pictures, dim and bright ones."""
    from PIL import Image

    for channel, name in enumerate(("red", "green", "blue")):
        (place / "colours" / name).mkdir(parents=True)
        for number in range(count):
            pixel = [10 + number] * 3
            pixel[channel] = 60 + 15 * (number % 12)
            Image.new("RGB", (80, 72), tuple(pixel)).save(place / "colours" / name / f"{number}.png")
    return f"image_folder:{place / 'colours'}"


def rows(*arguments: str, code: int = 0) -> list[dict[str, Any]]:
    """Run a sweep quickly; return its rows."""
    done = cli("run", "--preset", "quick", "--name", "hostile", "--json", *arguments)
    assert done.returncode == code, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["rows"]
    return found
