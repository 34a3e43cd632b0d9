"""Other programs' names of networks and precisions -> edgebench's names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from edgebench.foundation.errors import RequestError
from edgebench.networks import published
from edgebench.schema.variant import Precision

_SPELLINGS = {
    Precision.FP32: "fp32 float32 f32 float single full fullprecision 32bit w32a32",
    Precision.FP16: "fp16 float16 f16 half 16bit w16a16",
    Precision.BF16: "bf16 bfloat16",
    Precision.INT8: (
        "int8 uint8 i8 u8 s8 q8 qint8 quint8 quant quantized quantised fullinteger fullyquantized 8bit w8a8 a8w8 w8x8"
    ),
}
_PRECISIONS = {word: str(precision) for precision, words in _SPELLINGS.items() for word in words.split()}
_PRECISION = "|".join(sorted((*_PRECISIONS, r"[wW]\d+[aA]\d+", r"u?int\d+"), key=len, reverse=True))
# Side in pixels of a network's input in ncnn's benchncnn; networks that are not listed here have 224.
_NCNN_SIDES = {
    "squeezenet": 227, "alexnet": 227, "blazeface": 128, "squeezenet_ssd": 300, "mobilenet_ssd": 300,
    "mobilenet_yolo": 416, "mobilenetv2_yolov3": 352, "yolov4-tiny": 416, "nanodet_m": 320, "yolo-fastest-1.1": 320,
    "yolo-fastestv2": 352, "vision_transformer": 384, "FastestDet": 352,
}  # fmt: skip
SHIPPED = {
    # Names in MLPerf's submissions and of TFLite's files, such as mobilenet-v2-0.35-128-int8 or resnet50-v1.5.
    "mlperf": (
        rf"(?P<architecture>.+?)[-_](?P<width>\d\.\d+)[-_](?P<resolution>\d{{2,4}})(?:[-_](?P<precision>{_PRECISION}))?",
        rf"(?P<architecture>.+?)[-_](?P<resolution>\d{{2,4}})[-_](?P<width>\d\.\d+)(?:[-_](?P<precision>{_PRECISION}))?",
        rf"(?P<architecture>.+?)[-_](?P<resolution>\d{{3}})(?:[-_](?P<precision>{_PRECISION}))?",
        rf"(?P<architecture>.+?)(?:[-_](?P<precision>{_PRECISION}))?",
    ),
    # Names of timm's models, such as mobilenetv2_050.lamb_in1k, mobilenetv2_110d.ra_in1k or resnet50.a1_r160_in1k.
    "timm": (
        # Some numbers are neither a width nor a resolution: regnetx_002 and levit_128 are networks of their own.
        r"(?:tf_)?(?P<architecture>(?:regnet|levit)[a-z]*_\d{3}[a-z]*|.+?)(?:_(?P<percent>0\d\d|1[0-4]0)(?P<suffix>[a-z]?))?(?:_(?P<resolution>\d{3}))?"
        r"(?:\.(?:\S*?_)?(?:r(?P<tagged>\d{3})(?:_\S*)?|\S*))?",
    ),
    "ncnn": (rf"(?P<architecture>.+?)(?:_(?P<precision>{_PRECISION}))?",),
}
FIELDS = {
    "architecture": ".+?",
    "width": r"\d+(?:[.,]\d+)?",
    "percent": r"\d+",
    "resolution": r"\d+",
    "precision": r"\w+",
}
USUAL_SIDE = 224


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """Regular expressions, tried in order, that split a name into network, width, resolution and precision."""

    name: str
    expressions: tuple[re.Pattern[str], ...]

    def columns(self) -> frozenset[str]:
        """Return edgebench's names of the columns that the pattern fills, from a part of the name or by default."""
        shipped = {"width", "resolution", "precision"} if self.name in SHIPPED else set[str]()
        stated = {group for expression in self.expressions for group in expression.groupindex}
        return frozenset(shipped | ({"width"} if "percent" in stated else set()) | (stated & FIELDS.keys())) - {
            "percent"
        }

    def read(self, text: str) -> dict[str, str] | None:
        """Return the parts of a name by column; None if the name does not match.

        With a shipped pattern, parts that the name omits have defaults: width 1, 224 pixels (or ncnn's own size), fp32.
        """
        matches = (expression.fullmatch(text.strip()) for expression in self.expressions)
        parts = next((match.groupdict(default="") for match in matches if match), None)
        if parts is None:
            return None
        usual = {"width": "1", "resolution": str(USUAL_SIDE), "precision": "fp32"} if self.name in SHIPPED else {}
        if self.name == "ncnn":
            usual["resolution"] = str(_NCNN_SIDES.get(parts["architecture"], USUAL_SIDE))
        if percent := parts.pop("percent", ""):
            parts["width"] = f"{int(percent) / 100:g}"
        parts["resolution"] = parts.get("resolution", "") or parts.pop("tagged", "")
        parts["architecture"] = network(parts.get("architecture", "") + parts.pop("suffix", ""))
        return usual | {name: value for name, value in parts.items() if value and name in FIELDS}


def pattern(text: str) -> Pattern:
    """Return the shipped pattern with this name, or make a pattern from a text with fields.

    An example of such a text is `{architecture}_{width}_{resolution}`. The field `{percent}` is a width such as 050,
    `*` matches any text, and text in square brackets is optional.

    Raises:
        RequestError: the text is neither a shipped name nor a valid pattern, or lacks the field `architecture`.
    """
    if text in SHIPPED:
        return Pattern(name=text, expressions=tuple(re.compile(each, re.IGNORECASE) for each in SHIPPED[text]))
    written = re.sub(r"\\\{(\w+)\\\}", _field, re.escape(text))
    written = written.replace(r"\*", ".*").replace(r"\[", "(?:").replace(r"\]", ")?")
    try:
        expression = re.compile(written, re.IGNORECASE)
    except re.error as error:
        raise RequestError(f"wanted a pattern with each field once and all brackets closed, found {text!r}") from error
    if "architecture" not in expression.groupindex:
        known = f"{', '.join(SHIPPED)}, or fields such as {{architecture}}_{{width}}_{{resolution}}"
        raise RequestError(f"wanted a pattern of names ({known}), found {text!r}")
    return Pattern(name="", expressions=(expression,))


def _field(match: re.Match[str]) -> str:
    return f"(?P<{match[1]}>{FIELDS[match[1]]})" if match[1] in FIELDS else match[0]


def precision(text: str) -> str | None:
    """Return the precision that a word means, such as int8 for `quantized`; None if the word is unknown."""
    return _PRECISIONS.get(folded(text))


def network(text: str) -> str:
    """Return the published spelling of a network's name, given any spelling; return an unknown name unchanged."""
    return _networks().get(folded(text), text)


@cache
def _networks() -> dict[str, str]:
    known = {row.architecture for row in published.accuracies()} | {row.architecture for row in published.latencies()}
    return {folded(name): name for name in known} | {"mobilenet": "mobilenet_v1", "resnet50v15": "resnet50"}


def folded(text: str) -> str:
    """Return only a name's letters and digits, in lower case, because they are equal in all spellings of the name."""
    return re.sub(r"[^a-z0-9]", "", text.lower())
