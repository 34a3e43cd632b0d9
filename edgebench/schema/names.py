"""A user's text for a model, weights or a data set -> the parts of the text, and what they refer to; opens no file."""

import hashlib
import re
from functools import lru_cache
from pathlib import Path

from edgebench.foundation.errors import FOR_TESTS, RequestError
from edgebench.foundation.shelf import literal, load, names
from edgebench.foundation.units import counted

MODEL_FILES = (".onnx", ".tflite")
PYTHON = ".py"
PARTS = "|"  # joins the names of files that are run one after the other as one model
_PARTS = (PYTHON, ".tflite")  # a colon and the name of a function or signature may follow the names of these files
CLASSIFICATION = "classification"  # task of networks that state no other task, and of user-supplied models
DIGITS = "digits"  # the default data set of classifiers
KERAS_FILES = (".h5", ".hdf5")
RESULTS = r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}"  # pattern of the name of a results folder
MOST_TITLE_BYTES = 120  # limit on a model's or data set's name within a file's name, which adds hashes and suffixes
MOST_SHOWN = 80  # a message repeats at most this many characters of a name
HUB = "hub:"
USUAL_SIDE = 224  # pixels
DARKNET_FILES = (".weights",)
WEIGHTS_FILES = (".pth", ".pt", ".bin", ".safetensors", *KERAS_FILES, *DARKNET_FILES)


def is_custom(model: str) -> bool:
    """Return whether a model is user-supplied, not a network of this package."""
    return any(Path(file_and_function(part)[0]).suffix in (*MODEL_FILES, PYTHON) for part in parts(model))


def is_model_file(model: str) -> bool:
    """Return whether a model consists of ready model files, so that nothing must be converted to a model file."""
    return all(Path(file_and_function(part)[0]).suffix in MODEL_FILES for part in parts(model))


def is_weights_file(weights: str) -> bool:
    """Return whether weights are a file, not a word such as `trained`."""
    return Path(weights).suffix in WEIGHTS_FILES


def is_in_hub(weights: str) -> bool:
    """Return whether weights come from a hub, as in `hub:timm/mobilenetv2_100.ra_in1k`."""
    return weights.startswith(HUB)


@lru_cache(maxsize=1000)  # thousands of rows have the same few weights
def origin(weights: str) -> str:
    """Return the source of weights as tables show it: `of Keras` for any file of Keras, else the weights' name."""
    return "of Keras" if Path(weights).suffix in KERAS_FILES else weights


def title(model: str) -> str:
    """Return a model's name without its path: `net.onnx` for `nets/net.onnx`."""
    return PARTS.join(Path(part).name for part in parts(model)) if is_custom(model) else model


def parts(model: str) -> tuple[str, ...]:
    """Split `encoder.onnx|decoder.onnx` into its files; return any other name as a single part."""
    return tuple(part.strip() for part in model.split(PARTS))


def file_title(name: str) -> str:
    """Return a name in the form in which it becomes part of a file's name.

    Colons are replaced, because tools such as scp read a colon as the end of a host's name. A long name is cut, and a
    hash of the whole name is appended, because file systems allow at most 255 bytes.
    """
    title = name.replace("/", "-").replace(":", "-").replace(PARTS, "+")
    if len(content := title.encode(errors="surrogateescape")) <= MOST_TITLE_BYTES:
        return title
    beginning = content[: MOST_TITLE_BYTES - 17].decode(errors="ignore")
    return f"{beginning}-{hashlib.sha256(content).hexdigest()[:16]}"


def dataset_plugin(dataset: str) -> str:
    """Return the name of a data set's plug-in: `image_folder` for `image_folder:val`."""
    return dataset.partition(":")[0]


def file_and_function(model: str) -> tuple[str, str]:
    """Split `nets.py:build` into file and function, `net.tflite:encode` into file and signature.

    For all other names, the second part is empty.
    """
    file, colon, function = model.rpartition(":")
    return (file, function) if colon and file.endswith(_PARTS) else (model, "")


def task(model: str) -> str:
    """Return the task of a network, without importing torch; `classification` if the network does not exist."""
    stated = literal("architectures", model, "TASK") if model in names("architectures") else None
    return stated or CLASSIFICATION


def native_side(model: str) -> int:
    """Return the side of a network's native input, pixels; 224 for a user-supplied or an unknown model."""
    if model not in names("architectures"):
        return USUAL_SIDE
    sides = literal("architectures", model, "RESOLUTIONS") or load("architectures", model).RESOLUTIONS
    return int(sides[model][0])


def datasets_for(task: str) -> tuple[str, ...]:
    """List the data sets that have labels for a task."""
    return tuple(name for name in names("datasets") if task in (literal("datasets", name, "TASKS") or ()))


def bundled_dataset(model: str) -> str:
    """Return the bundled data set on which a network is trained and evaluated by default.

    It has labels for the network's task. User-supplied models, and networks for whose task no bundled data set has
    labels, get `digits`, whose images can still calibrate int8.
    """
    wanted = task(model)
    known = (DIGITS,) if wanted == CLASSIFICATION else datasets_for(wanted)
    return next((name for name in known if name != FOR_TESTS and literal("datasets", name, "PLACE") == ""), DIGITS)


def require_name(name: str) -> None:
    """Refuse a name that a results folder cannot have.

    Raises:
        RequestError: the name has a character that is not allowed, or is too long for a file system.
    """
    if not re.fullmatch(RESULTS, name):
        found = repr(name) if len(name) <= MOST_SHOWN else counted(len(name), "character")
        raise RequestError(f"wanted a name of letters, digits, '.', '_' and '-' for the results, found {found}")
