"""The base weights of detectors, from which their training at each resolution starts.

Base weights are trained for long at 96 pixels, once for each detector and width. The package ships four files of base
weights. The command

    python -m edgebench.train.base --out edgebench/train/bases

makes these four files, in parallel. The networks are trained on scenes, which are synthetic images; worker processes
draw the scenes before the training starts. On a CPU, each training uses one thread, and the same command gives the same
bytes. The command needs torch, numpy, scikit-learn and Pillow, but none of this package's other dependencies.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from io import BytesIO
from math import cos, isfinite, pi
from multiprocessing import get_context
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple
from zipfile import ZipFile, ZipInfo

from edgebench.foundation import files
from edgebench.foundation.errors import CaseError, require
from edgebench.foundation.progress import warn
from edgebench.foundation.shelf import load

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.context import ForkProcess

    from numpy import float16, int8, uint8
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from edgebench.tasks.detection.coco import Matches

SHIPPED = Path(__file__).with_name("bases")
NETWORKS = (
    ("mobilenet_v1_det", 0.25),
    ("mobilenet_v1_det", 0.5),
    ("mobilenet_v2_det", 0.35),
    ("mobilenet_v2_det", 0.5),
)
RESOLUTION, STRIDE = 96, 8
FEATURES = "features."  # weights whose names begin with this text also fit networks with other heads
CLASSES = 10
SEED = 0
WEIGHT_DECAY, WARM_UP, LONGEST_GRADIENT = 1e-2, 0.08, 10.0
TRIED_STEPS = 20  # number of training steps that are timed in each memory layout on a GPU
PART = 250  # number of scenes that a worker process draws at a time
FIRST = 1_000_000  # index of the first scene; later training, at each resolution, uses scenes with smaller indices
SHOW_S = 10.0
EPOCH = (1980, 1, 1, 0, 0, 0)  # earliest date in a zip file; it is fixed so that the same weights give the same bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseRecipe:
    """Duration and learning rate of a training by AdamW; the rate rises and falls along cosines.

    Attributes:
        scenes: number of different scenes, each seen once per epoch.
        limit_s: limit on the time of training, seconds; 0 for no limit. If there is a time limit, two trainings can
            have different numbers of steps, and so give different weights.
    """

    scenes: int
    epochs: int
    batch: int
    rate: float
    limit_s: float = 0.0


RECIPES = {
    "cpu": BaseRecipe(scenes=60_000, epochs=1, batch=32, rate=2e-2),
    "cuda": BaseRecipe(scenes=300_000, epochs=12, batch=128, rate=1e-2),
}


class Drawn(NamedTuple):
    """Scenes as inputs of a network, with the outputs that the network's heads must learn: one box per cell of a map.

    Attributes:
        pixels: pixels of the scenes, (N, 3, R, R).
        classes: class of the object in each cell, -1 for none, (N, S * S).
        boxes: box of the object in each cell, as the four numbers that the head must give, (N, 4, S * S).
    """

    pixels: NDArray[uint8]
    classes: NDArray[int8]
    boxes: NDArray[float16]


def drawn(count: int, workers: int) -> Drawn:
    """Draw scenes of the training split in worker processes."""
    import numpy

    side = RESOLUTION // STRIDE
    scenes: tuple[NDArray[Any], ...] = (
        numpy.empty((count, 3, RESOLUTION, RESOLUTION), numpy.uint8),
        numpy.empty((count, side * side), numpy.int8),
        numpy.empty((count, 4, side * side), numpy.float16),
    )
    starts = range(0, count, PART)
    started = shown = monotonic()
    with get_context("fork").Pool(workers) as pool:
        parts = pool.imap(_draw, [(FIRST + start, min(PART, count - start)) for start in starts])
        for start, part in zip(starts, parts, strict=True):
            for place, values in enumerate(part):
                scenes[place][start : start + len(values)] = values
            if monotonic() - shown > SHOW_S:
                shown = monotonic()
                print(f"drawn {min(start + PART, count)} of {count} scenes in {shown - started:.0f} s", flush=True)
        pool.close()
        pool.join()
    return Drawn(*scenes)


def _draw(request: tuple[int, int]) -> tuple[NDArray[Any], ...]:
    import numpy
    from PIL.Image import fromarray

    from edgebench.images.datasets import scenes
    from edgebench.images.preprocessing import cut
    from edgebench.tasks.detection.boxes import assigned

    first, count = request
    several = [scenes.draw("train", index) for index in range(first, first + count)]
    objects = numpy.full((count, scenes.MOST, 5), -1.0)
    for row, scene in zip(objects, several, strict=True):
        row[: len(scene.truth.classes), 0] = scene.truth.classes
        row[: len(scene.truth.classes), 1:] = scene.boxes / scenes.SIDE
    classes, boxes = assigned(objects, RESOLUTION // STRIDE)
    pixels = [cut(fromarray(scene.pixels), scenes.PREPROCESSING, RESOLUTION) for scene in several]
    return numpy.stack(pixels), classes.astype(numpy.int8), boxes.astype(numpy.float16)


@dataclass(kw_only=True)
class _Training:
    """One network's training in progress, on one device."""

    network: nn.Module
    recipe: BaseRecipe
    scenes: Drawn
    device: str
    title: str
    steps: int = 0
    seconds: float = 0.0
    progress: float = 0.0
    layout: Any = None

    def run(self) -> None:
        """Train for all epochs, or until the time limit is reached.

        Raises:
            CaseError: the loss is no longer finite.
        """
        import torch

        self.network.to(self.device).train()
        scenes = [torch.from_numpy(values).to(self.device) for values in self.scenes]
        self.layout = self._layout(*(values[: self.recipe.batch] for values in scenes))
        self.network.to(memory_format=self.layout)  # type: ignore[call-overload]
        optimizer = torch.optim.AdamW(self.network.parameters(), lr=0.0, weight_decay=WEIGHT_DECAY, fused=True)
        started = shown = monotonic()
        losses = []
        for chosen in self._batches(started):
            losses.append(self._step(optimizer, [values[chosen] for values in scenes]))
            if (now := monotonic()) - shown > SHOW_S:
                self._show(torch.stack(losses), now - started)
                shown, losses = now, []
        self.seconds = monotonic() - started
        if losses:
            self._show(torch.stack(losses), self.seconds)

    @property
    def total(self) -> int:
        """Number of steps if no time limit ends the training."""
        return self.recipe.epochs * (len(self.scenes.pixels) // self.recipe.batch)

    def _batches(self, started: float) -> Iterator[Tensor]:
        """Yield the scenes of each step until the end of the training; each epoch has a new random order."""
        import torch

        random, batch = torch.Generator().manual_seed(SEED), self.recipe.batch
        for _ in range(self.recipe.epochs):
            order = torch.randperm(len(self.scenes.pixels), generator=random).to(self.device)
            for place in range(0, len(order) - batch + 1, batch):
                by_time = (monotonic() - started) / self.recipe.limit_s if self.recipe.limit_s else 0.0
                self.progress = max(self.steps / self.total, by_time)
                if self.progress >= 1:
                    return
                yield order[place : place + batch]

    def _step(self, optimizer: Any, batch: Sequence[Tensor]) -> Tensor:
        """Train on a batch; return the loss as a tensor on the device, so that the CPU does not wait for its value."""
        import torch

        for group in optimizer.param_groups:
            group["lr"] = self.recipe.rate * cycle(self.progress)
        loss = self._loss(*batch)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), LONGEST_GRADIENT)
        optimizer.step()
        self.steps += 1
        return loss.detach()

    def _layout(self, *batch: Tensor) -> Any:
        """Return the memory layout that is faster on a GPU; on a CPU, a fixed layout, so that weights are reproducible.

        Some GPU libraries compute depthwise layers many times slower in one of the two layouts.
        """
        import torch

        if self.device == "cpu":
            return torch.channels_last
        state = {name: values.clone() for name, values in self.network.state_dict().items()}
        seconds = {layout: self._timed(layout, batch) for layout in (torch.contiguous_format, torch.channels_last)}
        self.network.load_state_dict(state)
        self.network.zero_grad()
        print(
            f"{self.title}: ms a step { ({str(key): round(1e3 * value, 2) for key, value in seconds.items()}) }",
            flush=True,
        )
        return min(seconds, key=lambda layout: seconds[layout])

    def _timed(self, layout: Any, batch: Sequence[Tensor]) -> float:
        """Return how many seconds a forward and backward step takes in a memory layout."""
        self.layout, started = layout, 0.0
        self.network.to(memory_format=layout)  # type: ignore[call-overload]
        for number in range(TRIED_STEPS):
            if number == TRIED_STEPS // 2:
                self._loss(*batch).item()  # wait until the GPU has finished
                started = monotonic()
            self._loss(*batch).backward()  # type: ignore[no-untyped-call]
        self._loss(*batch).item()
        return (monotonic() - started) / (TRIED_STEPS - TRIED_STEPS // 2)

    def _loss(self, *batch: Tensor) -> Tensor:

        from edgebench.tasks.detection.losses import loss

        pixels, classes, boxes = batch
        inputs = (pixels.float() / 127.5 - 1).contiguous(memory_format=self.layout)
        scores, raw = self.network(inputs)
        return loss(scores, raw, classes.long(), boxes.float())

    def _show(self, losses: Tensor, seconds: float) -> None:
        if not isfinite(mean := float(losses.mean())):
            raise CaseError(f"training of {self.title} diverged after {self.steps} steps; use a smaller --rate")
        print(f"{self.title}: step {self.steps} of {self.total}, {seconds:.0f} s, loss {mean:.3f}", flush=True)


def cycle(progress: float) -> float:
    """Return the learning rate, as a share of its maximum, when a given share of the training is done."""
    if progress < WARM_UP:
        return (1 - cos(pi * progress / WARM_UP)) / 2 + 1e-3
    return (1 + cos(pi * (progress - WARM_UP) / (1 - WARM_UP))) / 2 + 1e-3


def matches(network: nn.Module, split: str, count: int = 0, resolution: int = RESOLUTION) -> list[Matches]:
    """Run the network on scenes of a split, and match its boxes with the labelled boxes; compute on the CPU."""
    import numpy
    import torch
    from PIL.Image import fromarray

    from edgebench.images.datasets import scenes
    from edgebench.images.preprocessing import cut
    from edgebench.tasks.detection import coco
    from edgebench.tasks.detection.boxes import decode

    network.cpu().eval()
    found = []
    for index in range(count or scenes.COUNTS[split]):
        scene = scenes.draw(split, index)
        pixels = cut(fromarray(scene.pixels), scenes.PREPROCESSING, resolution).astype(numpy.float32) / 127.5 - 1
        with torch.inference_mode():
            scores, raw = (output[0].numpy() for output in network(torch.from_numpy(pixels)[None]))
        boxes = decode(scores, raw)
        assert scene.truth.boxes is not None
        found.append(
            coco.match(boxes._replace(boxes=boxes.boxes * scenes.SIDE), scene.truth.boxes, scene.truth.classes)
        )
    return found


def train(name: str, width: float, recipe: BaseRecipe, scenes: Drawn, device: str, out: Path) -> dict[str, Any]:
    """Train one network; write its weights in fp16 and a card of facts about the weights; return the card."""
    import torch

    from edgebench.tasks.detection import coco

    torch.set_num_threads(1)  # with one thread, the weights do not depend on the number of cores
    torch.manual_seed(SEED)
    network = load("architectures", name).build(name, width, classes=CLASSES, resolution=RESOLUTION)
    training = _Training(network=network, recipe=recipe, scenes=scenes, device=device, title=f"{name} {width:g}")
    training.run()
    content = packed(network)
    restore(network, content)
    images = matches(network, "test")
    figures, interval = coco.figures(images), coco.interval(coco.resampled(images))
    card = {
        "network": name,
        "width": width,
        "recipe": described(recipe, training.steps, device),
        "sha256": hashlib.sha256(content).hexdigest(),
        "scenes_seen": training.steps * recipe.batch,
        "seconds": round(training.seconds, 1),
        "device": torch.cuda.get_device_name() if device == "cuda" else "one CPU thread",
        "torch": torch.__version__,
        "test": asdict(figures) | {"map_low": interval[0], "map_high": interval[1], "images": len(images)},
    }
    (out / f"{stem(name, width)}.npz").write_bytes(content)
    (out / f"{stem(name, width)}.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    print(f"{training.title}: {json.dumps(card)}", flush=True)
    return card


def stem(name: str, width: float) -> str:
    """Return the file name, without suffix, of a network's base weights and their card."""
    return f"{name}-{width:g}"


def described(recipe: BaseRecipe, steps: int, device: str) -> str:
    """Describe in words how base weights were trained."""
    limit = f", at most {recipe.limit_s:g} s" if recipe.limit_s else ""
    where = "a GPU" if device == "cuda" else "one thread"
    return (
        f"{steps} steps on {recipe.scenes} scenes at {RESOLUTION} px, rate {recipe.rate:g}; AdamW, one cosine cycle,"
        f" batch {recipe.batch}, weight decay {WEIGHT_DECAY:g}{limit}, seed {SEED}, {where}, stored in fp16"
    )


def packed(network: nn.Module) -> bytes:
    """Return the weights as an uncompressed .npz in fp16; the same weights give the same bytes."""
    import numpy

    buffer = BytesIO()
    with ZipFile(buffer, "w") as archive:
        for name, values in network.cpu().state_dict().items():
            if not name.endswith("num_batches_tracked"):
                array = BytesIO()
                numpy.save(array, values.numpy().astype(numpy.float16))
                archive.writestr(ZipInfo(f"{name}.npy", EPOCH), array.getvalue())
    return buffer.getvalue()


def restore(network: nn.Module, content: bytes, part: str = "") -> None:
    """Load base weights into a network as fp32; if `part` is given, load only weights whose names begin with it.

    Raises:
        RuntimeError: the weights do not fit the network.
    """
    import numpy
    import torch

    with numpy.load(BytesIO(content)) as arrays:
        state = {
            name: torch.from_numpy(arrays[name].astype(numpy.float32)) for name in arrays.files if name.startswith(part)
        }
    own = {name: value for name, value in network.state_dict().items() if part and not name.startswith(part)}
    counters = {name: value for name, value in network.state_dict().items() if name.endswith("num_batches_tracked")}
    network.load_state_dict(own | counters | state)


def find(name: str, width: float, classes: int) -> Path | None:
    """Return the file of a network's base weights: the file made on this machine, else the shipped file, else None."""
    if classes != CLASSES:
        return None
    paths = [folder / f"{stem(name, width)}.npz" for folder in (made(), SHIPPED)]
    return next((path for path in paths if path.exists() and _is_whole(path)), None)


def _is_whole(path: Path) -> bool:
    """Return whether a file of base weights has the hash that its card states; warn if it has another hash."""
    try:
        if json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["sha256"] == files.sha256(str(path)):
            return True
    except (OSError, ValueError, LookupError):
        pass
    warn(f"the base weights {path} are damaged and not used; make them again with edgebench train --base")
    return False


def made() -> Path:
    """Return the cache folder of base weights made on this machine; training looks there first."""
    return files.folder("bases")


def has_gpu() -> bool:
    """Return whether torch finds a GPU; a child process asks torch, so that this process can still be forked."""
    code = "import sys, torch; sys.exit(not torch.cuda.is_available())"
    return subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def make(networks: Sequence[tuple[str, float]], recipe: BaseRecipe, device: str, out: Path, workers: int) -> int:
    """Draw the scenes, then train each network in a process of its own; return how many processes failed."""
    out.mkdir(parents=True, exist_ok=True)
    started = monotonic()
    scenes = drawn(recipe.scenes, workers)
    print(f"drew {recipe.scenes} scenes with {workers} processes in {monotonic() - started:.0f} s", flush=True)
    context = get_context("fork")  # forked processes share the scenes and need no copies
    waiting = [context.Process(target=train, args=(*network, recipe, scenes, device, out)) for network in networks]
    at_once = len(waiting) if device == "cuda" else workers
    running: list[ForkProcess] = []
    failed = 0
    while waiting or running:
        while waiting and len(running) < at_once:
            running.append(waiting.pop(0))
            running[-1].start()
        running[0].join()
        failed += running.pop(0).exitcode != 0
    return failed


def remake(
    out: Path,
    networks: Sequence[tuple[str, float]] = (),
    device: str = "",
    workers: int | None = None,
    **changes: Any,
) -> list[str]:
    """Make the base weights of several networks; return a description of each network's weights.

    The default recipe of the device is used, with the given changes.

    Raises:
        CaseError: some networks could not be trained; the reasons have been printed.
        UnknownName: there is no such device.
    """
    networks = networks or NETWORKS
    require("device", device, RECIPES, may_be_empty=True)
    device = device or ("cuda" if has_gpu() else "cpu")
    recipe = replace(RECIPES[device], **{name: value for name, value in changes.items() if value is not None})
    if failed := make(networks, recipe, device, out, workers or len(os.sched_getaffinity(0))):
        raise CaseError(f"{failed} of {len(networks)} networks could not be trained; the reasons are above")
    return [_remark(out / f"{stem(*network)}.json") for network in networks]


def _remark(path: Path) -> str:
    """Return a line on base weights: their training, mAP and hash, and whether they equal the shipped base weights."""
    card = json.loads(path.read_text(encoding="utf-8"))
    shipped = SHIPPED / path.name
    is_same = shipped.exists() and json.loads(shipped.read_text(encoding="utf-8"))["sha256"] == card["sha256"]
    remark = ", as shipped" if is_same else ", not the shipped one" if shipped.exists() else ", none is shipped"
    return (
        f"{path.stem}: {card['recipe']}; mAP {100 * card['test']['map']:.1f} on {card['test']['images']} test scenes;"
        f" sha256 {card['sha256']}{remark}; {path.with_suffix('.npz')}"
    )


def main() -> None:
    """Make base weights from the command line."""
    parser = argparse.ArgumentParser(prog="python -m edgebench.train.base", description=__doc__)
    parser.add_argument("--out", type=Path, default=SHIPPED)
    parser.add_argument("--device", default="", help="cpu or cuda; by default a GPU if there is one")
    parser.add_argument("--networks", help="list of name-width, separated by commas; by default the shipped four")
    for name, kind in (("workers", int), ("scenes", int), ("epochs", int), ("batch", int), ("rate", float)):
        parser.add_argument(f"--{name}", type=kind)
    parser.add_argument("--limit-s", type=float)
    given = vars(parser.parse_args())
    pairs = [text.rpartition("-") for text in (given.pop("networks") or "").split(",") if text]
    networks = [(name, float(width)) for name, _, width in pairs]
    print(*remake(networks=networks, **given), sep="\n")


if __name__ == "__main__":
    main()
