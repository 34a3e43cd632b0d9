"""Time an app's stages before and after inference: decode, resize and normalize a picture; post-process the outputs."""

from __future__ import annotations

from io import BytesIO
from time import perf_counter
from typing import TYPE_CHECKING, Any

from edgebench.agent.timing import resting_collector
from edgebench.foundation.errors import in_words
from edgebench.foundation.shelf import load
from edgebench.schema.decoding import Decoding
from edgebench.schema.normalization import Normalization

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

DECODE, RESIZE, NORMALIZE, POSTPROCESS = STAGES = ("decode", "resize", "normalize", "postprocess")
PICTURE = "picture"  # prefix of the names of the encoded pictures in the file
# The first WARM_UP pictures are not recorded.
# Pictures follow until LEAST_S seconds have passed, inferences included: at least LEAST, at most MOST pictures.
WARM_UP, LEAST, MOST, LEAST_S = 8, 24, 200, 0.3
NO_PILLOW = "no Pillow on the target"


def times(session: Any, request: Mapping[str, Any]) -> dict[str, Any]:
    """Time the stages picture by picture, in the order of an app, including an untimed inference on each picture.

    The request's `pictures` names an `.npz` file, in which the array `pixels` of shape (N, 3, R, R) has the network's
    inputs. If the stages before inference are requested, too, the file also contains the same pictures as JPEG files.

    Returns:
        The fields of `schema.record.Stages`.
    """
    import numpy

    with numpy.load(request["pictures"], allow_pickle=False) as held:
        pixels = held["pixels"]
        encoded = [held[name].tobytes() for name in held.files if name.startswith(PICTURE)]
    before, lacks = _before(encoded[0], request) if encoded else ((), {})
    decode, settings = _decoder(request)
    after = _after(session, request, decode)
    samples: dict[str, list[float]] = {name: [] for name, _ in (*before, *after) if name}
    started, count = perf_counter(), 0
    with resting_collector():
        while count < LEAST or (count < MOST and perf_counter() - started < LEAST_S):
            place = count % len(pixels)
            took = [*_run(before, encoded[place] if encoded else b""), *_run(after, pixels[place : place + 1])]
            for name, spent_s in took if count >= WARM_UP else ():
                samples[name].append(spent_s)
            count += 1
    return {"images": len(pixels), "took_s": samples, "lacks": lacks, "settings": settings}


Step = tuple[str, "Callable[[Any], Any]"]  # the name of a stage (empty if not timed), and its function


def _run(steps: Sequence[Step], value: Any) -> Iterator[tuple[str, float]]:
    """Call each step with the result of the step before it; yield the seconds of each step that has a name."""
    for name, step in steps:
        started = perf_counter()
        value = step(value)
        if name:
            yield name, perf_counter() - started


def _before(content: bytes, request: Mapping[str, Any]) -> tuple[tuple[Step, ...], dict[str, str]]:
    """Return the steps from a JPEG file to a network's input.

    For each step that cannot be timed here, return the reason.
    """
    try:
        from PIL import Image
    except ImportError:
        return (), dict.fromkeys((DECODE, RESIZE, NORMALIZE), NO_PILLOW)
    steps = _pictures(Image, request)
    try:
        list(_run(steps, content))
    except (OSError, ValueError) as error:  # for example if Pillow was built without JPEG
        return (), dict.fromkeys((DECODE, RESIZE, NORMALIZE), in_words(error))
    return steps, {}


def _pictures(pillow: Any, request: Mapping[str, Any]) -> tuple[Step, ...]:
    """Return the steps that decode, resize and normalize a picture."""
    from edgebench.images.preprocessing import cut
    from edgebench.schema.variant import Preprocessing

    recipe, side = Preprocessing(**request["recipe"]), request["resolution"]
    normalization = Normalization(**request["of_pictures"])
    return (
        (DECODE, lambda content: pillow.open(BytesIO(content)).convert("RGB")),
        (RESIZE, lambda picture: cut(picture, recipe, side)),
        (NORMALIZE, lambda pixels: normalization.apply(pixels[None])),
    )


def _after(session: Any, request: Mapping[str, Any], decode: Callable[[Any], Any]) -> tuple[Step, ...]:
    """Return two steps: inference, which is not timed because other processes time it, and post-processing."""
    import numpy

    normalization, count = Normalization(**request["normalization"]), request["values"]

    def infer(pixels: Any) -> Any:
        images = normalization.apply(pixels)
        return numpy.frombuffer(session.infer(images.data, images.shape, classes=count), "<f4").reshape(1, -1)

    return ("", infer), (POSTPROCESS, decode)


def _decoder(request: Mapping[str, Any]) -> tuple[Callable[[Any], Any], Mapping[str, float]]:
    """Return the function that decodes outputs, and its thresholds.

    A user-supplied detector defines the function and the thresholds; without such a detector, the task defines them.
    """
    classes, side = request["classes"], request["resolution"]
    if request.get("decoding"):
        from edgebench.tasks.detection import decoders

        decoding = Decoding(**request["decoding"])
        return decoders.decoder(decoding, side), decoding.thresholds
    task = load("tasks", request["task"])
    return lambda values: task.decode(values, classes, side), task.THRESHOLDS
