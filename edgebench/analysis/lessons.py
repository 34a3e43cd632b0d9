"""A network's description -> tables for a lecture: receptive fields, memory of training, savings by shared weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from math import prod

from edgebench.foundation.sheet import IDENTITY, OBJECTIVE, Column, Sheet
from edgebench.foundation.units import MIB, number
from edgebench.networks.describe import FLOAT_BYTES, Description, Layer

SMALL = 3  # side of the small kernels, several of which replace one larger kernel
BATCHES = (1, 32)  # batch sizes
STATES = {"SGD": 0, "momentum": 1, "Adam(W)": 2}  # number of values that an optimizer stores for each parameter
CONVOLUTIONS = ("convolution", "depthwise convolution")


def fields(described: Description) -> tuple[Sheet, ...]:
    """Return a table of receptive fields: for each layer, the part of the image on which one output value depends.

    Notes name the layers whose windows leave some rows of the input unread.
    """
    notes = [
        "field: side in pixels of the part of the image that one output value sees; at the image's edge, it reaches"
        " beyond the image. step: pixels from one output value to the next.",
        *map(_unfitting, (layer for layer in described.layers if layer.unread)),
    ]
    return (Sheet.of("receptive fields", _FIELDS, described.layers[1:], notes, name="fields"),)


def _fitting(layer: Layer) -> float | None:
    """Return the number of windows, (W - F + 2P) / S + 1, for the longer side.

    It is a whole number if the windows fit.
    """
    if not any(layer.kernel):
        return None
    axis = int(len(layer.inputs) > 2 and layer.inputs[2] > layer.inputs[1])
    span = layer.inputs[1 + axis] - layer.kernel[axis] + 2 * layer.padding[axis]
    return span / layer.stride[axis] + 1


def _unfitting(layer: Layer) -> str:
    axis = int(layer.inputs[2] > layer.inputs[1])
    kernel, stride, padding = layer.kernel[axis], layer.stride[axis], layer.padding[axis]
    lost = max(0, layer.unread - padding)
    what = f"{lost} of them in the image" if layer.step == stride else f"{lost} of them in the layer's input"
    return (
        f"{layer.name}: the windows do not fit: ({layer.inputs[1 + axis]} - {kernel} + 2·{padding}) / {stride} + 1 ="
        f" {_fitting(layer):.4g}; {layer.unread} of the padded rows and columns are never read, {what}."
    )


_FIELDS: tuple[Column[Layer], ...] = (
    Column.text("layer", lambda layer: layer.name, IDENTITY),
    Column.number("output", lambda layer: "×".join(map(str, layer.output)), output_shape=lambda layer: layer.output),
    Column.figure("field", lambda layer: layer.field, rank=OBJECTIVE, key="field_pixels"),
    Column.figure("step", lambda layer: layer.step, rank=OBJECTIVE, key="step_pixels"),
    Column.figure("unread", lambda layer: layer.unread, rank=OBJECTIVE),
    Column.text("fits", lambda layer: "does not fit" if layer.unread else "", 3, side_by_rule=_fitting),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Need:
    """The memory that training or inference of a network needs, counted in values of 4 bytes each."""

    name: str
    batch: int
    weights: int
    gradients: int
    state: int
    activations: int

    @property
    def total(self) -> int:
        return self.weights + self.gradients + self.state + self.activations


def memory(described: Description) -> tuple[Sheet, ...]:
    """Return the memory of training and of inference, at batches of 1 and of 32."""
    notes = (
        "All values are float32. outputs: activations. Inference holds the weights, and the most activations that are"
        " needed at once. Training holds the weights, their gradients, the optimizer's state (one value per weight for"
        " momentum, two for Adam), and each layer's output until the backward pass, with its batch norm's input if it"
        " has a batch norm. ReLU works in place.",
        "Not counted: the gradients of activations, workspaces of convolutions, and the framework itself.",
    )
    return (Sheet.of("memory, MiB", _NEEDS, list(_needs(described)), notes, name="memory"),)


def _needs(described: Description) -> Iterator[_Need]:
    params, kept = described.params, sum(layer.activations * (1 + layer.norms) for layer in described.layers)
    for batch in BATCHES:
        live = described.peak_live * batch
        yield _Need(name="inference", batch=batch, weights=params, gradients=0, state=0, activations=live)
    for batch in BATCHES:
        for name, values in STATES.items():
            yield _Need(
                name=f"training, {name}",
                batch=batch,
                weights=params,
                gradients=params,
                state=values * params,
                activations=kept * batch,
            )


def _mib(values: int) -> float:
    return values * FLOAT_BYTES / MIB


_SHOWN = partial(number, digits=2)
_NEEDS: tuple[Column[_Need], ...] = (
    Column.text("", lambda need: need.name, IDENTITY, use=lambda need: need.name),
    Column.figure("batch", lambda need: need.batch, rank=IDENTITY),
    Column.figure("weights", lambda need: _mib(need.weights), _SHOWN, key="weights_mib"),
    Column.figure("grads", lambda need: _mib(need.gradients), _SHOWN, 3, key="gradients_mib"),
    Column.figure("state", lambda need: _mib(need.state), _SHOWN, 3, key="optimizer_mib"),
    Column.figure("outputs", lambda need: _mib(need.activations), _SHOWN, key="activations_mib"),
    Column.figure("total", lambda need: _mib(need.total), _SHOWN, OBJECTIVE, key="total_mib"),
)


def lessons(described: Description) -> tuple[Sheet, ...]:
    """Return tables of what sharing weights saves and of what stacks of small kernels save; a table without rows is
    left out.
    """
    return tuple(sheet for sheet in (_sharing(described), _stacking(described)) if sheet)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shared:
    """The parameters of a layer in two forms: shared by all places, as in a convolution, or separate at each place."""

    name: str
    shared: int
    unshared: int


def _sharing(described: Description) -> Sheet | None:
    rows = list(_shared(described.layers))
    note = (
        "Parameters are weights and biases. A convolution uses the same parameters at every place. Unshared: each"
        " place of its output would have parameters of its own. A dense layer on maps is compared with a 3×3"
        " convolution that has as many maps as the layer has units."
    )
    return Sheet.of("what sharing weights saves", _SHARED, rows, (note,), name="sharing") if rows else None


def _shared(layers: Sequence[Layer]) -> Iterator[_Shared]:
    for layer in layers:
        if layer.kind in CONVOLUTIONS:
            places = prod(layer.output[1:])
            yield _Shared(
                name=layer.name,
                shared=layer.weights + layer.biases,
                unshared=places * (layer.weights + layer.biases),
            )
        elif layer.kind == "linear" and prod(layer.inputs[1:]) > 1:
            units = layer.output[0]
            yield _Shared(
                name=layer.name,
                shared=units * (SMALL**2 * layer.inputs[0] + (layer.biases > 0)),
                unshared=layer.weights + layer.biases,
            )


_SHARED: tuple[Column[_Shared], ...] = (
    Column.text("layer", lambda row: row.name, IDENTITY),
    Column.figure("shared", lambda row: row.shared, "{:,}".format, OBJECTIVE),
    Column.figure("unshared", lambda row: row.unshared, "{:,}".format, OBJECTIVE),
    Column.figure("times", lambda row: row.unshared / row.shared, "{:,.0f}".format),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stack:
    """One large kernel, and a sequence of small kernels that sees an equally large area; each maps C channels to C."""

    name: str
    small: int
    side: int
    maps: int
    is_stack: bool

    @property
    def stacked(self) -> int:
        """The number of weights of the small kernels: 9C² for each."""
        return self.small * SMALL**2 * self.maps**2

    @property
    def single(self) -> int:
        """The number of weights of the large kernel: k²C²."""
        return self.side**2 * self.maps**2


def _stacking(described: Description) -> Sheet | None:
    rows = list(_stacks(described.layers))
    note = (
        "n kernels of 3×3 in a row see as large an area as one kernel of side k = 2n + 1, with fewer weights and more"
        " nonlinearities. If each has C maps as input and as output, three of 3×3 have 27C² weights and one of 7×7 has"
        " 49C²."
    )
    return Sheet.of("stacks of small kernels", _STACKS, rows, (note,), name="stacks") if rows else None


def _stacks(layers: Sequence[Layer]) -> Iterator[_Stack]:
    """Yield the sequences of small kernels at stride 1, and the large kernels that such sequences could replace."""
    for is_small, run in groupby(layers, _is_small):
        found = list(run)
        if is_small and len(found) > 1:
            name, count = f"{found[0].name} to {found[-1].name}", len(found)
            yield _Stack(name=name, small=count, side=2 * count + 1, maps=found[-1].output[0], is_stack=True)
        for layer in found:
            side = max(layer.kernel)
            if layer.kind == "convolution" and side > SMALL and side % 2 and min(layer.kernel) == side:
                yield _Stack(name=layer.name, small=side // 2, side=side, maps=layer.output[0], is_stack=False)


def _is_small(layer: Layer) -> bool:
    return (layer.kind, layer.kernel, layer.stride) == ("convolution", (SMALL, SMALL), (1, 1))


def _found(stack: _Stack) -> str:
    return f"{stack.small} of {SMALL}×{SMALL}" if stack.is_stack else f"one {stack.side}×{stack.side}"


_STACKS: tuple[Column[_Stack], ...] = (
    Column.text("layers", lambda stack: stack.name, IDENTITY),
    Column.text("here", _found),
    Column.figure("n", lambda stack: stack.small, key="small_kernels"),
    Column.figure("k", lambda stack: stack.side, key="kernel_side"),
    Column.figure("C", lambda stack: stack.maps, key="maps"),
    Column.figure("9nC²", lambda stack: stack.stacked, "{:,}".format, OBJECTIVE, key="stacked_weights"),
    Column.figure("k²C²", lambda stack: stack.single, "{:,}".format, OBJECTIVE, key="single_weights"),
)

SHEETS: Mapping[str, Callable[[Description], tuple[Sheet, ...]]] = {
    "fields": fields,
    "memory": memory,
    "lessons": lessons,
}
