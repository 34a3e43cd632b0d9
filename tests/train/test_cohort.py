"""Trainings side by side: the same weights as one after the other, told as one step, and none left behind."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from edgebench import train
from edgebench.foundation.progress import Notice, Step
from edgebench.schema.cards import Weights
from edgebench.schema.variant import WeightSource
from edgebench.train import cohort
from tests import ROOT
from tests.conftest import make_cache, variant
from tests.test_pipeline import heeding_interrupts

SHORT = train.Options(epochs=1, requested=True)
LENET, CNN = (
    variant(name, 1.0, side, weights=WeightSource.TRAINED) for name, side in (("lenet5", 32), ("sample_cnn", 28))
)

pytestmark = pytest.mark.slow


def weights() -> dict[str, str]:
    """The hash of each network's weights, in the cache."""
    found = {of.architecture: train.find(of, SHORT) for of in (LENET, CNN)}
    return {name: card.sha256 for name, card in found.items() if isinstance(card, Weights)}


def test_side_by_side_they_become_what_they_become_one_by_one(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Step | Notice] = []
    monkeypatch.setenv("EDGEBENCH_CACHE", str(make_cache(tmp_path_factory, "together")))
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    cohort.train([LENET, CNN, LENET], told.append, SHORT)
    together = weights()
    subjects = {step.subject for step in told if isinstance(step, Step)}
    assert "lenet5-1@32 and sample_cnn-1@28" in subjects or "sample_cnn-1@28 and lenet5-1@32" in subjects
    monkeypatch.setenv("EDGEBENCH_CACHE", str(make_cache(tmp_path_factory, "alone")))
    for one in (LENET, CNN):
        train.train(one, print, SHORT)
    assert weights() == together
    assert set(together) == {"lenet5", "sample_cnn"}


def test_what_is_trained_or_cannot_be_starts_nothing_and_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Step | Notice] = []
    large = replace(variant("vgg16", 1.0, 224), weights=WeightSource.TRAINED)
    cohort.train([replace(LENET, weights=WeightSource.RANDOM), large], told.append)
    assert told == []
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    cohort.train([large, replace(large, architecture="vgg19")], told.append)
    assert told == []


INTERRUPTED = """
import os, signal, sys
from edgebench import train
from edgebench.train import cohort
from tests.train.test_cohort import CNN, LENET
os.sched_getaffinity = lambda _: {0, 1}
def show(event):
    print("told", flush=True)
    signal.raise_signal(signal.SIGINT)
cohort.train([LENET, CNN], show, train.Options(epochs=50, requested=True))
"""


def test_an_interruption_leaves_no_process_behind() -> None:
    root = ROOT
    with heeding_interrupts():
        done = subprocess.run(
            [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=False, timeout=300,
            env=os.environ | {"PYTHONPATH": str(root)},
        )  # fmt: skip
    assert done.stdout == "told\n"
    assert done.stderr.count("Traceback") == 1
    assert done.stderr.rstrip().endswith("KeyboardInterrupt")
