"""A program of its own: write the outputs of an ExecuTorch program for the images of `given.npz`, one at a time."""

import sys
from pathlib import Path

import numpy
import torch
from executorch.extension.pybindings import _C

if __name__ == "__main__":
    folder, program = Path(sys.argv[1]), _C._load_for_executorch(sys.argv[2])
    with numpy.load(folder / "given.npz") as given:
        images = torch.from_numpy(given["images"])
    answers = [program.run_method("forward", (image[None],)) for image in images]
    joined = [torch.cat(outputs).numpy() for outputs in zip(*answers, strict=True)]
    numpy.savez(folder / "answers.npz", *joined)
