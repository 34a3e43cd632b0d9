"""An int8 quantization scheme, and its text form: options joined by `+`, such as `per_tensor+equalized`."""

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar

from edgebench.foundation.errors import RequestError, require

JOIN = "+"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantization:
    """An int8 quantization scheme: part of a variant's identity.

    Attributes:
        granularity: `per_channel` if each output channel has its own weight range, `per_tensor` if all channels share
            one.
        activations, weights: the integer type of the activations, and that of the weights. The range of int8 weights is
            symmetric about zero; the range of uint8 weights is not.
        symmetric: whether activation ranges are symmetric about zero.
        range_method: how an activation's range is chosen from its calibration values. `min-max` covers all values;
            `percentile` covers all but 0.001 % of them; `entropy` minimizes the Kullback-Leibler divergence; `mse`
            minimizes the squared error.
        reduce_range: whether weights have only 7 bits, so that sums do not saturate on x86 CPUs without VNNI.
        equalized: whether the channel ranges of consecutive layers are equalized before quantization (Nagel et al.
            2019, section 4.1).
        bias_corrected: whether the biases are corrected for the mean error that comes from rounding the weights (Nagel
            et al. 2019, section 4.2).
        aware: whether the weights are fine-tuned under fake quantization first (quantization-aware training, QAT), on
            the data set's training split.
        float_outputs: whether all operators after the last layers with weights stay in float. The last layer with
            weights stays in float, too, unless the network's output combines several layers.
        images: number of calibration images, drawn at random from the calibration split of a data set.
        seed: seed of the draw of the calibration images.
        calibration: name of the data set of the calibration images, such as `image_folder:val`; empty for the variant's
            own data set. For a model that is not an image classifier, `calibration` is `random`, or it is `data:`
            followed by the name of a folder of inputs.
        calibration_sha256: hash of the content of a user-supplied calibration data set; empty for any other data set.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid", "strict": True}

    granularity: str = "per_channel"
    activations: str = "uint8"
    weights: str = "int8"
    symmetric: bool = False
    range_method: str = "min-max"
    reduce_range: bool = False
    equalized: bool = False
    bias_corrected: bool = False
    aware: bool = False
    float_outputs: bool = False
    images: int = 100
    seed: int = 0
    calibration: str = ""
    calibration_sha256: str = ""

    @property
    def saturating(self) -> bool:
        """Whether the sum of two 8-bit products can overflow on a CPU that adds them in 16 bits."""
        return self.weights == "int8" and not self.reduce_range

    @property
    def changes_weights(self) -> bool:
        """Whether the weights are changed before they are rounded to int8."""
        return self.equalized or self.bias_corrected or self.aware

    def __str__(self) -> str:
        """Return the granularity and every option that differs from the default, joined by `+`."""
        return _words(self)


@lru_cache(maxsize=1000)  # thousands of rows share a few schemes
def _words(scheme: Quantization) -> str:
    fields, defaults = asdict(scheme), asdict(Quantization())
    changes = {name: value for name, value in fields.items() if name == "granularity" or value != defaults[name]}
    words = [
        word
        for word, meaning in WORDS.items()
        if meaning.keys() & changes.keys() and all(fields[name] == value for name, value in meaning.items())
    ]
    return JOIN.join(words + [f"{name}={fields[name]}" for name in (*COUNTS, CALIBRATION) if name in changes])


WORDS: dict[str, dict[str, Any]] = {
    "per_channel": {"granularity": "per_channel"},
    "per_tensor": {"granularity": "per_tensor"},
    "u8s8": {"activations": "uint8", "weights": "int8"},
    "s8s8": {"activations": "int8", "weights": "int8"},
    "u8u8": {"activations": "uint8", "weights": "uint8"},
    "symmetric": {"symmetric": True},
    "min-max": {"range_method": "min-max"},
    "percentile": {"range_method": "percentile"},
    "entropy": {"range_method": "entropy"},
    "mse": {"range_method": "mse"},
    "reduce_range": {"reduce_range": True},
    "equalized": {"equalized": True},
    "bias_corrected": {"bias_corrected": True},
    "qat": {"aware": True},
    "float_outputs": {"float_outputs": True},
}
COUNTS = ("images", "seed")
CALIBRATION = "calibration"
VALUED = (*(f"{name}=N" for name in COUNTS), f"{CALIBRATION}=NAME")
NAME = r"[\w.:-]{1,100}"  # pattern of a calibration data set's name, which becomes part of a file's name
DIGITS = "[0-9]{1,9}"  # the number of digits is bounded, because Python refuses to parse very long integers
ORDINARY = "per_channel"
RANDOM, DATA = "random", "data:"  # values of `calibration` for models that are not image classifiers


def parse(text: str, start: Quantization = Quantization()) -> Quantization:  # frozen
    """Parse a scheme's text: each option in it replaces one field of the scheme `start`.

    Raises:
        RequestError: an option is unknown, or contradicts another option.
    """
    changes: dict[str, Any] = {}
    for word in text.split(JOIN):
        for name, value in _meaning(word.strip()).items():
            if changes.get(name, value) != value:
                raise RequestError(f"quantization {text!r} contradicts itself: {word} against {name} {changes[name]}")
            changes[name] = value
    return replace(start, **changes)


def _meaning(word: str) -> dict[str, Any]:
    name, equals, value = word.partition("=")
    if not equals:
        require("option of an int8 scheme", word, (*WORDS, *VALUED))
        return WORDS[word]
    if name == CALIBRATION and value:
        return {name: value}
    if name not in COUNTS or not re.fullmatch(DIGITS, value) or (name == "images" and not int(value)):
        raise RequestError(
            f"wanted {' or '.join(VALUED)} in a quantization, where N has at most nine digits and images is at least 1,"
            f" found {word[:40]!r}"
        )
    return {name: int(value)}


def renamed(text: str, rename: Callable[[str], str]) -> str:
    """Return a scheme's text; if it names a calibration data set, replace the name by the result of `rename(name)`."""
    parts = (word.strip().partition("=") for word in text.split(JOIN))
    return JOIN.join(name + equals + (rename(value) if name == CALIBRATION else value) for name, equals, value in parts)


def overflows(quantization: Quantization | None, format: str, facts: dict[str, str]) -> bool:
    """Return whether a file's outputs are wrong on this CPU because sums of int8 products overflow.

    Only runtimes of ONNX files on a CPU are affected. Signed activations overflow, too, because onnxruntime computes
    them with its kernels for unsigned activations.
    """
    is_onnx_here = format == "onnx" and facts.get("device") != "cuda"
    return is_onnx_here and quantization is not None and quantization.saturating and saturates(facts)


def saturates(facts: dict[str, str]) -> bool:
    """Return whether sums of uint8 x int8 products overflow 16 bits on this CPU: x86 without VNNI."""
    x86 = facts.get("machine") in ("x86_64", "AMD64", "i686")
    return x86 and not {"avx512_vnni", "avx_vnni"} & set(facts.get("isa", "").split())
