"""Which words a runtime takes, and which of them hold."""

import pytest

from edgebench.foundation.errors import RequestError
from edgebench.schema.runtime import RuntimeRequest

GROUPS = (("eager", "compile"), ("", "channels_last"), ("cpu", "cuda"))


@pytest.mark.parametrize(
    ("asked", "usual", "options"),
    [
        ("torch", (), ("eager", "cpu")),
        ("torch", ("cuda",), ("eager", "cuda")),
        ("torch+cpu", ("cuda",), ("eager", "cpu")),
        ("torch + channels_last + compile", (), ("compile", "channels_last", "cpu")),
        ("torch+compile+compile", ("tpu",), ("compile", "cpu")),
    ],
)
def test_in_each_group_holds_what_was_asked_for_else_the_usual_else_the_first(
    asked: str, usual: tuple[str, ...], options: tuple[str, ...]
) -> None:
    assert RuntimeRequest.parse(asked).resolve(GROUPS, usual) == options


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("torch+fast", r"no option of runtime torch 'fast' \(has eager, compile, channels_last, cpu, cuda\)"),
        ("torch+eager+compile", "runtime torch takes either eager or compile, found both; leave one out"),
        ("torch+", r"wanted a runtime such as onnxruntime==1.23.2 or torch\+compile, found 'torch\+'"),
        *((text, "wanted a runtime such as") for text in ("+compile", "", "torch==", "torch==new", "torch=2", "==1.2")),
    ],
)
def test_words_that_mean_nothing_are_refused(asked: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        RuntimeRequest.parse(asked).resolve(GROUPS)
