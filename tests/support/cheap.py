"""In place of a board's Python: answers at once what the real agent would answer about the null runtime.

The null runtime computes nothing, so a test needs no process that imports the agent. The hashes in an answer are those
of the file that is there. The machine's facts are those of the real agent, which is asked once; the serial number is
the test's. Whatever is not a request of the agent, such as holding the lock and receiving files, the real Python runs.
"""

import sys
from pathlib import Path

SCRIPT = """#!{python} -IS
import json, os, sys, time
real, state, facts = {python!r}, {state!r}, {facts!r}
if "-c" in sys.argv:
    os.execv(real, [real, *sys.argv[1:]])
request = json.loads(sys.stdin.readline())
kind = request.get("purpose")
if request["do"] == "facts":
    if not os.path.exists(facts):
        import subprocess

        request.pop("held", None)
        done = subprocess.run([real, *sys.argv[1:]], input=json.dumps(request), capture_output=True, text=True)
        with open(facts + state.replace("/", "_"), "w") as stream:
            stream.write(done.stdout.partition("edgebench-answer ")[2])
        os.rename(stream.name, facts)
    value = json.load(open(facts))["value"]
    value["machine"]["serial"] = open(state + "/serial").read()
elif request["do"] == "measure":
    count = (request["iterations"] or request["least_iterations"]) if kind == "latency" else 0
    samples_s = [{sample_s}] * count
    if {sleeps} and count:
        times = [time.perf_counter()]
        for _ in range(count):
            time.sleep({process_s} / count)
            times.append(time.perf_counter())
        samples_s = [end - start for start, end in zip(times, times[1:])]
    else:
        time.sleep({process_s})
    marks = dict.fromkeys(("baseline_bytes", "load_peak_bytes", "loaded_bytes", "run_peak_bytes"), 1 << 20)
    value = {{
        "start_s": 0.001, "load_s": 0.0, "first_s": 0.0, "samples_s": samples_s,
        "wall_s": sum(samples_s), "cpu_s": sum(samples_s), "others_cpu": 0.0, "steal": 0.0,
        "memory": marks if kind == "memory" else None, "conditions": {{"temperature_c_after": "51.0"}},
    }}
else:
    from array import array
    from base64 import b64encode
    from hashlib import sha256

    count, row = request["shape"][0], [1.0] + [0.0] * (request["classes"] - 1)
    value = {{
        "count": count, "outputs": b64encode(array("f", row * count).tobytes()).decode(),
        "inputs_sha256": sha256(open(request["inputs"], "rb").read()).hexdigest(),
    }}
    os.remove(request["inputs"])
if "path" in request:
    from hashlib import sha256

    value["artifact_sha256"] = sha256(open(request["path"], "rb").read()).hexdigest()
    value |= {{"runtime_version": "1", "runtime_files": json.load(open(facts))["value"]["runtimes"]["null"]["files"]}}
print("\\nedgebench-answer " + json.dumps({{"ok": True, "value": value | {{"id": request["id"]}}}}))
"""


def python(
    folder: Path, serial: str, facts: Path, process_s: float = 0.05, sample_s: float = 1e-4, *, sleeps: bool = False
) -> Path:
    """Write the program for a board whose files lie in `folder`; a measured process sleeps for `process_s`.

    It answers that each inference took `sample_s`; with `sleeps`, it sleeps once per inference and answers how long
    each sleep took. `facts` is the file, shared by all boards, with the real agent's answer about this machine.
    """
    state, program = folder / "state", folder / "python"
    state.mkdir(exist_ok=True)
    (state / "serial").write_text(serial)
    program.write_text(
        SCRIPT.format(
            python=sys.executable,
            state=str(state),
            facts=str(facts),
            process_s=process_s,
            sample_s=sample_s,
            sleeps=sleeps,
        )
    )
    program.chmod(0o755)
    return program
