"""Files made by several processes: each once, int8 after float, and whatever happens to a process."""

import json
import os
import signal
from dataclasses import replace
from multiprocessing import active_children

import pytest

from edgebench.deploy.connections.null import Here
from edgebench.export import find
from edgebench.foundation.progress import Notice, Step
from edgebench.measure import builders
from edgebench.measure.builders import parcel
from edgebench.measure.builders.local import Processes
from edgebench.measure.builders.work import File, Work
from edgebench.schema.quantization import parse
from edgebench.schema.variant import Precision, Variant, WeightSource
from tests.conftest import artifact, case, make_cache, session, variant
from tests.support.command import cli


def int8(of: Variant, words: str = "per_channel") -> Variant:
    return replace(of, precision=Precision.INT8, quantization=parse(words))


def file(of: Variant, format: str = "onnx") -> File:
    return File(variant=of, format=format)


A, B = variant(resolution=32), variant(resolution=64)


def test_an_int8_file_waits_for_its_float_file_in_the_same_format() -> None:
    work = Work.of([file(int8(A)), file(A), file(int8(A, "per_tensor")), file(int8(A), "tflite"), file(int8(B))])
    assert work.ready == [file(A), file(int8(A), "tflite"), file(int8(B))]
    work.finish(file(A))
    assert work.ready[:2] == [file(int8(A)), file(int8(A, "per_tensor"))]
    assert not work.waiting


def test_a_file_waits_for_its_weights_and_a_fine_tuning_for_the_training_at_the_base_resolution() -> None:
    net = variant(resolution=64, weights=WeightSource.TRAINED)
    base, tuned = File(variant=replace(net, resolution=32)), File(variant=net)
    work = Work.of([file(int8(net)), file(net), tuned, base])
    order = []
    while work.ready:
        order.append(work.ready.pop(0))
        work.finish(order[-1])
    assert order == [base, tuned, file(net), file(int8(net))]
    assert [each.subject for each in order[1:3]] == ["mobilenet_v2-0.35@64", "mobilenet_v2-0.35@64/fp32"]


def test_what_waits_for_a_file_that_cannot_be_made_is_left_to_its_case() -> None:
    net = variant(weights=WeightSource.TRAINED)
    work = Work.of([File(variant=net), file(net), file(int8(net)), file(B)])
    work.drop(work.ready.pop(0))
    assert work.ready == [file(B)] and not work.waiting


def test_a_request_is_json_with_the_cards_of_its_inputs() -> None:
    card = artifact(file="net.onnx", sha256="0" * 64)
    text = parcel.request(file(int8(A)), [card])
    assert parcel.requested(text) == (file(int8(A)), [card])
    fields = json.loads(text)
    assert [each["card"]["sha256"] for each in fields["inputs"]] == ["0" * 64]
    fields["file"]["command"] = "id"
    with pytest.raises(ValueError, match="command"):
        parcel.requested(json.dumps(fields))


@pytest.mark.lengthy
def test_a_difference_of_versions_is_in_words() -> None:
    mine = parcel.versions()
    assert parcel.differing(mine) == ""
    theirs = {tool: version for tool, version in mine.items() if tool != "numpy"} | {"onnx": "1.0"}
    assert parcel.differing(theirs) == f"numpy missing instead of {mine['numpy']}, onnx 1.0 instead of {mine['onnx']}"


def test_a_file_is_made_once_however_many_cases_need_it() -> None:
    assert Work.of([file(A), file(B), file(A)]).ready == [file(A), file(B)]


def test_a_process_that_ends_costs_its_file_one_try_and_a_second_one_gives_it_up_with_what_waits_for_it() -> None:
    work = Work.of([file(A), file(int8(A))])
    assert work.ready.pop() == file(A)
    assert work.try_again(file(A)) and work.ready == [file(A)]
    work.ready.clear()
    assert not work.try_again(file(A)) and not work.ready and not work.waiting


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--jobs", "0"), "wanted 1 or more for --jobs, found 0"),
        (("--jobs", "x"), "wanted a whole number for --jobs, found 'x'"),
        (("--jobs", "-2"), "wanted a whole number for --jobs, found '-2'"),
        (("--jobs", "2", "--budget", "1m"), "--jobs makes all files first, found a budget of 1m; leave out one"),
        (("--scheduler", "tcp://192.0.2.1:8786"), "unencrypted to another machine; use tls://192.0.2.1:8786"),
        (("--scheduler", "host:8786"), "wanted a scheduler such as tls://host:8786, found 'host:8786'"),
        (("--scheduler", "tls://host"), "wanted a scheduler such as tls://host:8786, found 'tls://host'"),
        (
            ("--scheduler", "tls://host:1", "--jobs", "2"),
            "wanted --jobs or --scheduler, found both (2 and tls://host:1)",
        ),
        (("--scheduler", "tls://host:1", "--budget", "1m"), "--scheduler makes all files first, found a budget of 1m"),
    ],
)
def test_impossible_builders_are_refused_in_one_line(options: tuple[str, ...], message: str) -> None:
    done = cli("run", "--model", "null", "--weights", "none", *options)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert message in done.stderr


@pytest.mark.slow
def test_a_process_killed_while_it_exports_costs_its_file_once_and_all_files_are_those_of_one_process(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    nets = [variant("lenet5", 1.0, 32), variant("sample_cnn", 1.0, 28)]
    cases = [case(each) for net in nets for each in (net, int8(net))]
    told, killed = list[Step | Notice](), list[int]()

    def show(event: Step | Notice) -> None:
        told.append(event)
        if isinstance(event, Step) and not killed:
            killed.extend(process.pid or 0 for process in active_children())
            for pid in killed:
                os.kill(pid, signal.SIGKILL)

    hashes = []
    for name, jobs, shown in (("two", 2, show), ("one", 1, told.append)):
        monkeypatch.setenv("EDGEBENCH_CACHE", str(make_cache(tmp_path_factory, name)))
        builders.build([(session(*cases), Here())], (), Processes(count=jobs), shown)
        hashes.append([card.sha256 if (card := find(each.variant, "onnx")) else "" for each in cases])
    assert hashes[0] == hashes[1] and "" not in hashes[0]
    notices = [event.text for event in told if isinstance(event, Notice)]
    assert [text.partition(" ended unexpectedly; ")[2] for text in notices] == ["it is made again"] * len(killed)
    assert len(killed) == 2 and not active_children()
