"""onnxruntime on its CPU provider, inputs and outputs bound once."""

from collections.abc import Sequence
from importlib import metadata
from typing import Any

FORMAT, PACKAGE = "onnx", "onnxruntime"
OPTIONS = (("CPUExecutionProvider",),)
WARMS_UP = True

SEED = 0  # of the image it is timed on


class Session:
    """One loaded graph with one image input and one output."""

    def __init__(self, session: Any, batch: int) -> None:
        self._session = session
        self._input, self._output = session.get_inputs()[0], session.get_outputs()[0].name
        self._binding = self._bind((batch, *self._input.shape[1:]))

    def _bind(self, shape: tuple[int, ...]) -> Any:
        import numpy
        import onnxruntime

        # Noise in the range of a normalised image: no denormals, no zeros that a kernel could skip.
        image = numpy.random.default_rng(SEED).uniform(-1, 1, shape).astype(numpy.float32)
        binding = self._session.io_binding()
        binding.bind_ortvalue_input(self._input.name, onnxruntime.OrtValue.ortvalue_from_numpy(image))
        binding.bind_output(self._output, "cpu")
        return binding

    def run(self) -> None:
        """Run the graph on the bound image; the outputs lie in host memory on return."""
        self._session.run_with_iobinding(self._binding)

    def infer(self, data: bytes | memoryview, shape: tuple[int, ...]) -> bytes:
        """Run the graph on `shape` float32 inputs; return the first output, float32."""
        import numpy

        images = numpy.frombuffer(data, dtype="<f4").reshape(shape)
        (outputs,) = self._session.run([self._output], {self._input.name: images})
        return outputs.astype("<f4").tobytes()  # type: ignore[no-any-return]


def version() -> str:
    """Return the installed package's version without importing it."""
    return metadata.version(PACKAGE)


def prepare() -> None:
    """Import the engine and what it needs."""
    import numpy  # noqa: F401
    import onnxruntime  # noqa: F401


def open(path: str, *, threads: int, batch: int, options: Sequence[str]) -> Session:
    """Load the graph with every optimisation on and exactly `threads` threads."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    settings.log_severity_level = 3  # errors only: warnings are no part of an answer
    return Session(onnxruntime.InferenceSession(path, settings, providers=list(options)), batch)
