"""In place of a board's Python: the real agent for all requests, except that a measured process takes a fixed time.

The null runtime computes nothing, so a test needs no process that imports the agent to measure it. The answer to such a
request has the hashes of the file that is there, as the agent's has; the board's serial number is the test's.
"""

import sys
from pathlib import Path

SCRIPT = """#!{python} -IS
import json, os, sys, time
real, state = {python!r}, {state!r}
if "-c" in sys.argv:
    os.execv(real, [real, *sys.argv[1:]])
request = json.loads(sys.stdin.readline())
if request["do"] != "measure":
    import subprocess

    request.pop("held", None)
    done = subprocess.run([real, *sys.argv[1:]], input=json.dumps(request) + "\\n", capture_output=True, text=True)
    answer = done.stdout
    if request["do"] == "facts":
        line = json.loads(answer.partition("edgebench-answer ")[2])
        line["value"]["machine"]["serial"] = open(state + "/serial").read()
        with open(state + "/files", "w") as stream:
            stream.write(line["value"]["runtimes"].get("null", {{}}).get("files", ""))
        answer = "\\nedgebench-answer " + json.dumps(line) + "\\n"
    print(answer, file=sys.stdout)
    print(done.stderr, file=sys.stderr)
    sys.exit(done.returncode)
time.sleep({process_s})
kind = request.get("purpose")
count = (request["iterations"] or request["least_iterations"]) if kind == "latency" else 0
marks = dict.fromkeys(("baseline_bytes", "load_peak_bytes", "loaded_bytes", "run_peak_bytes"), 1 << 20)
value = {{
    "id": request["id"], "start_s": 0.001, "load_s": 0.0, "first_s": 0.0, "samples_s": [{sample_s}] * count,
    "wall_s": {sample_s} * count, "cpu_s": {sample_s} * count, "others_cpu": 0.0, "steal": 0.0,
    "memory": marks if kind == "memory" else None, "conditions": {{"temperature_c_after": "51.0"}},
}}
if "reference" not in request:
    import hashlib

    value["artifact_sha256"] = hashlib.sha256(open(request["path"], "rb").read()).hexdigest()
    value |= {{"runtime_version": "1", "runtime_files": open(state + "/files").read()}}
print("\\nedgebench-answer " + json.dumps({{"ok": True, "value": value}}))
"""


def python(folder: Path, serial: str, process_s: float = 0.05, sample_s: float = 1e-4) -> Path:
    """Write the program for a board whose files lie in `folder`; a measured process sleeps for `process_s`."""
    state, program = folder / "state", folder / "python"
    state.mkdir(exist_ok=True)
    (state / "serial").write_text(serial)
    (state / "files").write_text("")
    program.write_text(SCRIPT.format(python=sys.executable, state=str(state), process_s=process_s, sample_s=sample_s))
    program.chmod(0o755)
    return program
