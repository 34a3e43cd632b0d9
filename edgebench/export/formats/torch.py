"""The torch runtime's file: a network's weights, and the arguments from which `build` builds the network again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench.schema.quantization import Quantization
from edgebench.schema.variant import Precision

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import nn

    from edgebench.schema.variant import Variant

SUFFIX = ".safetensors"
SCHEME = Quantization()
TOOLS = ("torch", "safetensors")

_TYPES = {Precision.FP32: "float32", Precision.FP16: "float16", Precision.BF16: "bfloat16"}  # torch's types


def refuses(variant: Variant) -> str:
    """Refuse int8, because torch has no suitable int8 convolution."""
    if variant.precision in _TYPES:
        return ""
    return (
        "torch has no int8 convolution on CUDA, and on a CPU it has only that of torch.ao.quantization, which is"
        " deprecated: use --runtime onnxruntime"
    )


def write(path: Path, variant: Variant, channels: int, network: Callable[[], nn.Module]) -> None:
    """Write the state dict, with floats in the variant's precision."""
    import torch
    from safetensors.torch import save_file

    precision: torch.dtype = getattr(torch, _TYPES[variant.precision])
    state = {
        name: (tensor.to(precision) if tensor.is_floating_point() else tensor).contiguous()
        for name, tensor in network().state_dict().items()
    }
    save_file(state, path, metadata=_outline(variant))


def _outline(variant: Variant) -> dict[str, str]:
    """Return the arguments of `build.outline` as strings, because the metadata of a safetensors file are strings."""
    return {
        "architecture": variant.architecture,
        "width": repr(variant.width),
        "resolution": str(variant.resolution),
        "classes": str(variant.classes),
        "precision": variant.precision.value,
        **({"padding": variant.padding} if variant.padding else {}),
    }
