"""A program of its own: lower an exported torch network to an ExecuTorch program, in int8 if calibration images exist.

It runs in ExecuTorch's environment, so it imports nothing of edgebench. The only argument is a folder, which holds
`network.pt2`, the exported network for one image (1, C, R, R), and `given.npz`, which is empty, or has the calibration
`images` (N, C, R, R) float32 and the `granularity` of the weights. The folder gets `network.pte` and `report.json`, or
an error comes on the last line of standard error.
"""

from __future__ import annotations

import json
import sys
from math import prod
from pathlib import Path
from typing import Any

import executorch.backends.xnnpack.xnnpack_preprocess as delegate
import numpy
import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge_transform_and_lower

TOLERANCE = 1e-2  # a share of the largest output
SEED = 0  # of the random image on which a float program is run
EPSILON = 2**-12  # the smallest scale, as in ExecuTorch's own configuration
NONE = 2**32 - 1  # stands for no value in the delegate's graphs
# Operators that only move or convert data: nodes of the delegate's graphs, and operators that were not delegated.
MOVES = {"Convert", "Copy", "Concatenate2", "Concatenate3", "Concatenate4", "Concatenate5", "StaticConstantPad"}
MOVES |= {"StaticReshape", "StaticSlice", "StaticTranspose"}
MOVES |= {"quantize_per_tensor", "dequantize_per_tensor", "dequantize_per_channel", "view_copy", "permute_copy", "cat"}
MOVES |= {"clone", "_clone_dim_order", "_to_dim_order_copy", "constant_pad_nd", "slice_copy", "unsqueeze_copy"}
MOVES |= {"squeeze_copy", "expand_copy", "split_with_sizes_copy", "getitem", "executorch_call_delegate", "alloc"}


def main(folder: Path) -> None:
    """Lower the network in the folder."""
    exported, given = torch.export.load(folder / "network.pt2"), numpy.load(folder / "given.npz")
    image = torch.empty(_shape(exported)).uniform_(-1, 1, generator=torch.Generator().manual_seed(SEED))
    if is_int8 := "images" in given:
        network = quantized(exported, torch.from_numpy(given["images"]), str(given["granularity"]))
        exported = torch.export.export(network, (image,))
    graphs = _graphs()
    lowered = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
    (folder / "network.pte").write_bytes(lowered.to_executorch().buffer)
    if not is_int8:
        _require_same(folder / "network.pte", exported.module()(image), image)
    figures = report(graphs, lowered.exported_program().graph_module)
    (folder / "report.json").write_text(json.dumps(figures), encoding="utf-8")


def _shape(exported: Any) -> tuple[int, ...]:
    (name,) = exported.graph_signature.user_inputs
    return next(tuple(node.meta["val"].shape) for node in exported.graph.nodes if node.name == name)


def quantized(exported: Any, images: Any, granularity: str) -> Any:
    """Quantize by PT2E: weights symmetric int8, activations int8 from their smallest to their largest value."""
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import XNNPACKQuantizer
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    quantizer = XNNPACKQuantizer().set_global(_configuration(granularity))
    prepared = prepare_pt2e(exported.module(), quantizer)
    with torch.inference_mode():
        for image in images:
            prepared(image[None])
    return convert_pt2e(prepared)


def _configuration(granularity: str) -> Any:
    """Return ExecuTorch's symmetric configuration, whose histograms of activations are replaced by their extremes."""
    from dataclasses import replace

    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import get_symmetric_quantization_config
    from torchao.quantization.pt2e import MinMaxObserver

    usual = get_symmetric_quantization_config(is_per_channel=granularity == "per_channel")
    extremes = replace(usual.input_activation, observer_or_fake_quant_ctr=MinMaxObserver.with_args(eps=EPSILON))
    return replace(usual, input_activation=extremes, output_activation=extremes)


def _graphs() -> list[Any]:
    """Return a list to which every graph is added that is given to XNNPACK."""
    graphs, serialize = list[Any](), delegate.serialize_xnnpack_binary

    def kept(graph: Any, constants: Any) -> Any:
        graphs.append(graph)
        return serialize(graph, constants)

    delegate.serialize_xnnpack_binary = kept
    return graphs


def _require_same(program: Path, wanted: Any, image: Any) -> None:
    from executorch.extension.pybindings import _C

    found = _C._load_for_executorch(str(program)).run_method("forward", (image,))
    for one, other in zip(wanted if isinstance(wanted, tuple) else (wanted,), found, strict=True):
        worst = float((one - other).abs().max() / (one.abs().max() or 1))
        if not worst <= TOLERANCE:
            raise ValueError(f"ExecuTorch lowers this network wrongly: an output differs by {worst:.1%} of the largest")


def report(graphs: list[Any], outer: Any) -> dict[str, Any]:
    """Return the multiply-adds, those in integers, and the operators in float: delegated ones, then the others."""
    products, floats = list[tuple[int, bool]](), list[str]()
    for graph in graphs:
        values = {tensor.id_out: tensor for tensor in map(_tensor, graph.xvalues)}
        for place, node in enumerate(one.xnode_union for one in graph.xnodes):
            kind, is_integer = type(node).__name__.removeprefix("XNN"), _is_integer(node, values)
            products.append((_macs(kind, node, values), is_integer))
            floats += [] if is_integer or kind in MOVES else [f"{kind} {place}"]
    for node in (one for one in outer.graph.nodes if one.op == "call_function"):
        name = getattr(node.target, "__name__", str(node.target)).split(".")[0]
        products.append((_macs_outside(name, node), False))
        floats += [] if name in MOVES else [f"{name} {node.name}"]
    integer = sum(macs for macs, is_integer in products if is_integer)
    return {"macs": sum(macs for macs, _ in products), "integer_macs": integer, "floats": floats}


def _tensor(value: Any) -> Any:
    """Return a value's type and shape, whether it is quantized or not."""
    return getattr(value.xvalue_union, "tensor_value", value.xvalue_union)


def _is_integer(node: Any, values: dict[int, Any]) -> bool:
    """Return whether all values that a node reads and writes are integers; a bias is stored as integers, too."""
    ids = [held for field, held in vars(node).items() if field.endswith("_id") and held != NONE]
    return all(values[held].datatype.name.startswith("xnn_datatype_q") for held in ids)


def _macs(kind: str, node: Any, values: dict[int, Any]) -> Any:
    """Return the multiply-adds of a node of the delegate's graph; 0 if it does not multiply matrices."""
    outputs = prod(values[node.output_id].dims)
    match kind:
        case "Conv2d" | "DepthwiseConv2d":
            return outputs * node.kernel_height * node.kernel_width * node.group_input_channels
        case "ConvTranspose2d":
            inputs = prod(values[node.input1_id].dims)
            return inputs * node.kernel_height * node.kernel_width * node.group_output_channels
        case "FullyConnected" | "BatchMatrixMultiply":
            return outputs * values[node.input1_id].dims[-1]
    return 0


def _macs_outside(name: str, node: Any) -> Any:
    """Return the multiply-adds of an operator that was not delegated; 0 if it does not multiply matrices."""
    shapes = [tuple(one.meta["val"].shape) for one in node.all_input_nodes if hasattr(one.meta.get("val"), "shape")]
    if name == "convolution":
        return prod(node.meta["val"].shape) * prod(shapes[1][1:])
    if name in ("mm", "bmm", "linear", "addmm"):
        return prod(node.meta["val"].shape) * shapes[-2 if name != "linear" else 0][-1]
    return 0


if __name__ == "__main__":
    main(Path(sys.argv[1]))
