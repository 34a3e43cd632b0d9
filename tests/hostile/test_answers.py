"""What a board answers is decoded and plausible before it is kept: else its row is FAILED in one line, others go on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgebench import pipeline
from edgebench.foundation.errors import AgentError
from edgebench.schema.sweep import Model, Sweep
from edgebench.schema.variant import Precision
from tests.support.spoilt import spoilt_target

pytestmark = [pytest.mark.slow, pytest.mark.exact]  # each kind is a process of its own; counts of samples are claims

# Kind -> Python that spoils an answer to a measure request, and what the row must say.
SPOILT: dict[str, tuple[str, str]] = {
    "nothing": ("raw = b''", "exited with code 0 without an answer"),
    "not JSON": ("raw = MARK + b'{not json'", "not JSON"),
    "half of the answer": ("raw = MARK + json.dumps(a).encode()[:100]", "not JSON"),
    "a list": ("raw = MARK + b'[1, 2]'", "malformed: wanted `ok`"),
    "a number": ("raw = MARK + b'7'", "malformed: wanted `ok`"),
    "null": ("raw = MARK + b'null'", "malformed: wanted `ok`"),
    "no `ok`": ("del a['ok']", "malformed: wanted `ok`"),
    "no value": ("del a['value']", "malformed: wanted `ok`"),
    "a text as `ok`": ("a['ok'] = 'yes'", "malformed: wanted `ok`"),
    "an error that is no text": ("a = {'ok': False, 'error': {'x': 1}}", "malformed: wanted `ok`"),
    "an error of many lines and 1 MB": ("a = {'ok': False, 'error': 'x\\n\\x1b[31m' * 200_000}", "x??"),
    "a value that is a list": ("a['value'] = []", "malformed"),
    "a value that is null": ("a['value'] = None", "malformed"),
    "a value that is deep": ("raw = MARK + b'{\"ok\": true, \"value\": ' + b'[' * 100_000", "not JSON"),
    "a missing key": ("del v['samples_s']", "samples_s"),
    "no conditions": ("del v['conditions']", "conditions"),
    "an unknown key": ("v['fps'] = 9", "fps"),
    "a text as a time": ("v['load_s'] = '0.1'", "load_s"),
    "true as a time": ("v['load_s'] = True", "load_s"),
    "null as a time": ("v['wall_s'] = None", "wall_s"),
    "a number in place of samples": ("v['samples_s'] = 0.001", "samples_s"),
    "texts as samples": ("v['samples_s'] = ['0.001'] * len(v['samples_s'])", "samples_s"),
    "conditions of numbers": ("v['conditions'] = {'load_1min_before': 0.5}", "conditions"),
    "a condition that is no number": ("v['conditions']['swap_used_bytes_after'] = 'many'", "swap_used_bytes_after"),
    "a condition that is NaN": ("v['conditions']['temperature_c_after'] = 'nan'", "temperature_c_after"),
    "a condition of 1 MB": ("v['conditions']['governor_after'] = 'x' * 10**6", "governor_after"),
    "100,000 conditions": ("v['conditions'] = {str(i): '' for i in range(100_000)}", "100000 facts"),
    "half a surrogate": ("v['conditions']['governor_after'] = chr(0xd800)", "malformed"),
    "NaN": ("v['load_s'] = math.nan", "load_s"),
    "NaN among the samples": ("v['samples_s'][2] = math.nan", "samples_s.2"),
    "infinity": ("v['first_s'] = math.inf", "first_s"),
    "a number beyond every float": (
        "raw = MARK + json.dumps(a).replace('load_s\": ', 'load_s\": 1e999, \"x\": ').encode()",
        "load_s",
    ),
    "an integer of 5,000 digits": ("raw = MARK + b'{\"ok\": true, \"value\": ' + b'9' * 5000 + b'}'", "not JSON"),
    "a key twice": (
        "raw = MARK + json.dumps(a).replace('load_s\": ', 'load_s\": 9.0, \"load_s\": ').encode()",
        "key 'load_s' occurs twice in one object",
    ),
    "the answer's own key twice": (
        "raw = MARK + json.dumps(a).replace('{\"ok', '{\"ok\": false, \"ok', 1).encode()",
        "key 'ok' occurs twice in one object",
    ),
    "a negative time": ("v['load_s'] = -0.001", "load_s is -0.001"),
    "a negative sample": ("v['samples_s'][0] = -1e-6", "samples_s has -1e-06"),
    "samples of zero": ("v['samples_s'] = [0.0] * len(v['samples_s'])", "samples_s has 0"),
    "no samples": ("v['samples_s'] = []", "samples_s is missing"),
    "fewer samples than asked": (
        "v['samples_s'] = v['samples_s'][:2]; v['beats'] = None",
        "2 samples, although 5 to 200",
    ),
    "more samples than asked": (
        "v['samples_s'] = [min(v['samples_s'])] * 300; v['beats'] = None",
        "samples, although 5 to 200",
    ),
    "a million samples": ("v['samples_s'] = [1e-9] * 10**6; v['beats'] = None", "1000000 samples, although"),
    "fewer beats than samples have": ("v['beats']['took_s'] = v['beats']['took_s'][:1]", "beats"),
    "beats every 0": ("v['beats']['every'] = 0", "beats"),
    "longer than this host waited": (
        "v['samples_s'] = [3.0] * 10; v['wall_s'] = 30.0; v['beats'] = None",
        "this host waited",
    ),
    "a start of an hour": ("v['start_s'] = 3600.0", "this host waited"),
    "a load longer than the start": ("v['load_s'] = v['start_s'] + 60", "load and first inference took"),
    "samples longer than their loop": ("v['samples_s'] = [1.0] * 10; v['beats'] = None", "the timed loop"),
    "CPU time of 1,000 cores": ("v['cpu_s'] = 1000.0", "CPU time"),
    "a steal of 200 %": ("v['steal'] = 2.0", "steal is 2"),
    "memory in a process for latency": ("v['memory'] = MARKS", "memory is present"),
    "windows in a process for latency": ("v['windows'] = [WINDOW]", "windows is present"),
    "a line of 1 GiB": (
        "[sys.stdout.buffer.write(part) for part in (MARK, *[b'9' * 2**20] * 1024)]",
        "more than 128 MiB",
    ),
    "invalid UTF-8": (
        "raw = MARK + json.dumps(a).encode().replace(b'governor', b'gov\\xff\\xfe')[:-9] + b'\\xc3\"}}}'",
        "not JSON",
    ),
    "UTF-16": ("raw = MARK + json.dumps(a).encode('utf-16')", "not JSON"),
    "a stray print before the answer, on its line": (
        "raw = b'loading ' + MARK + json.dumps(a).encode()",
        "without an answer",
    ),
    "a stray print after the answer, on its line": ("raw = MARK + json.dumps(a).encode() + b' done'", "not JSON"),
    "an answer for another request": ("v['id'] = 'f' * 32", "to another request"),
    "an answer without an id": ("del v['id']", "to another request"),
    "the answer for another case": ("a = true_answer(r | {'threads': 999, 'id': '0'})", "to another request"),
    "another artifact": ("v['artifact_sha256'] = '0' * 64", "did not open the deployed artifact"),
    "no hash of the artifact": ("del v['artifact_sha256']", "did not open the deployed artifact"),
    "another version of the runtime": (
        "v['runtime_version'] = '2'",
        "did not open the deployed version of the runtime",
    ),
    "other files of the runtime": ("v['runtime_files'] = '1' * 64", "did not open the deployed set of runtime files"),
    "a crash": ("os.abort()", "killed by SIGABRT"),
}
# What is put around an answer, and changes nothing.
HARMLESS = {
    "a stray print before the answer": "sys.stdout.buffer.write(b'Welcome!\\n'); sys.stdout.flush()",
    "a stray print after the answer": "raw = b'\\n' + MARK + json.dumps(a).encode() + b'\\nbye\\n'",
    "noise in another encoding": "sys.stdout.buffer.write(b'\\xff\\xfe\\x00\\n'); sys.stdout.flush()",
}
MEMORY = {
    "memory beyond the machine": ("v['memory']['run_peak_bytes'] = 2**50", "MiB of memory, but the machine has"),
    "negative memory": ("v['memory']['baseline_bytes'] = -1", "baseline_bytes is -1"),
    "no memory": ("v['memory'] = None", "memory is missing"),
    "half of the memory": ("del v['memory']['loaded_bytes']", "loaded_bytes"),
    "fractions of a byte": ("v['memory']['loaded_bytes'] = 0.5", "loaded_bytes"),
}
ONLY_LATENCY, ONLY_MEMORY = "if r['purpose'] == 'latency':\n ", "if r['purpose'] == 'memory':\n "


def sweep(target: str, threads: int) -> Sweep:
    return Sweep(
        name="x", models=(Model(name="null"),), resolutions=(1,), runtimes=("null",), weights="none", dataset="null",
        precisions=(Precision.FP32,), targets=(target,), threads=tuple(range(1, threads + 1)), preset="quick",
    )  # fmt: skip


def spoils() -> dict[tuple[str, int | str], str]:
    """Give each kind a case of its own: the number of threads says which."""
    latency = [ONLY_LATENCY + code for code, _ in SPOILT.values()]
    memory = [ONLY_MEMORY + code for code, _ in MEMORY.values()]
    cases = dict(enumerate([*latency, *memory, *HARMLESS.values()], 1))
    cores = f"v['machine']['cores'] = '{len(cases) + 1}'"  # more threads than cores are refused
    return {("facts", "all"): cores} | {("measure", number): code for number, code in cases.items()}


@pytest.fixture(scope="module")
def reasons(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, tuple[str, str]]]:
    """Measure one case of each kind, and one honest one, in one sweep; return verdict and reasons by threads."""
    place = tmp_path_factory.mktemp("spoilt")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        for name in ("EDGEBENCH_CACHE", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
            patch.setenv(name, str(place / name))
        count = len(spoils())  # one of them is no case, and one case is honest
        outcome = pipeline.run(sweep(spoilt_target(spoils(), asks_once=True), count), lambda _: None)
        assert len(outcome.table.rows) == count and outcome.table.has_failures
        assert pipeline.run(sweep("spoilt", 1), lambda _: None).table.rows  # the journal is read again
        rows = {row.setup.threads: row for row in outcome.table.rows}
        yield {threads: (row.verdict, row.reasons) for threads, row in rows.items()}


KINDS = {**SPOILT, **MEMORY}


@pytest.mark.parametrize("kind", KINDS)
def test_a_malformed_answer_is_a_failed_row_in_one_line(kind: str, reasons: dict[int, tuple[str, str]]) -> None:
    verdict, reason = reasons[1 + list(KINDS).index(kind)]
    assert verdict == "FAILED", reason
    assert KINDS[kind][1] in reason
    assert "\n" not in reason and reason.isprintable() and len(reason) < 1000


@pytest.mark.parametrize("kind", [*HARMLESS, "an honest one"])
def test_other_output_and_an_honest_board_are_measured(kind: str, reasons: dict[int, tuple[str, str]]) -> None:
    verdict, reason = reasons[1 + len(KINDS) + [*HARMLESS, "an honest one"].index(kind)]
    assert verdict != "FAILED", reason


FACTS = {
    "no machine": "del v['machine']",
    "a machine of numbers": "v['machine']['cores'] = 4",
    "a memory that is no number": "v['machine']['memory_bytes'] = 'much'",
    "no memory": "del v['machine']['memory_bytes']",
    "a runtime without a version": "v['runtimes'] = {'null': {}}",
    "another runtime": "v['runtimes'] = {}",
    "runtimes in a list": "v['runtimes'] = [1]",
    "a list": "a['value'] = []",
    "a clock that is no number": "v['conditions']['clock_mhz'] = 'fast'",
    "NaN bytes of disk": "v['disk_free_bytes'] = math.nan",
    "an answer to another request": "v['id'] = '1'",
}


@pytest.mark.parametrize("kind", FACTS)
def test_malformed_facts_refuse_the_run_in_one_line_and_nothing_is_kept(kind: str, place: Path) -> None:
    target = spoilt_target({("facts", "all"): FACTS[kind]})
    with pytest.raises(AgentError, match="the agent's answer (is|belongs)") as caught:
        pipeline.run(sweep(target, 1), lambda _: None)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300
    assert not (place / "results/x/runs.jsonl").exists()
