"""A target whose `python` passes requests on to the real agent and spoils its answers, case by case."""

import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.passing_on import READ

SCRIPT = """#!{python} -IS
import hashlib, json, math, os, shutil, subprocess, sys, time
SPOILS, KEPT = {spoils!r}, {kept!r}
MARK = b"edgebench-answer "
MARKS = dict.fromkeys(("baseline_bytes", "load_peak_bytes", "loaded_bytes", "run_peak_bytes"), 1)
WINDOW = {{"at_s": 1.0, "iterations": 1, "median_s": 1.0, "conditions": {{}}}}
request = r = json.loads({read})
line = MARK.decode()

def true_answer(request):
    if not KEPT:
        return asked(request)
    own = {{"id", "inputs", "outputs", "threads"}}
    what = json.dumps({{key: value for key, value in request.items() if key not in own}}, sort_keys=True)
    file = os.path.join(KEPT, hashlib.sha256(what.encode()).hexdigest())
    if not os.path.exists(file):
        with open(file, "w") as stream:
            json.dump(asked(request), stream)
        if "outputs" in request:
            shutil.copy(request["outputs"], file + "-outputs")
    elif "outputs" in request:
        shutil.copy(file + "-outputs", request["outputs"])
    with open(file) as stream:
        answer = json.load(stream)
    value = answer["value"] | {{"id": request["id"]}}
    if "start_s" in value:  # this process ends sooner than one that imports the agent
        value["start_s"] = value["load_s"] + value["first_s"]
    return answer | {{"value": value}}

def asked(request):
    agent = subprocess.run([{python!r}, *sys.argv[1:]], input=json.dumps(request).encode(), stdout=subprocess.PIPE)
    return json.loads([part for part in agent.stdout.splitlines() if part.startswith(MARK)][-1][len(MARK):])

a = true_answer(request)
v, raw = a.get("value", {{}}), None
code = SPOILS.get((request["do"], request.get("threads", 0))) or SPOILS.get((request["do"], "all")) or ""
if "reference" not in request:
    exec(code)
out = sys.stdout.buffer
out.write(raw if raw is not None else b"\\n" + MARK + json.dumps(a).encode() + b"\\n")
"""


def spoilt_target(spoils: Mapping[tuple[str, int | str], str], name: str = "spoilt", *, asks_once: bool = False) -> str:
    """Write a local target of this name, with a null runtime, below the working folder; return its name.

    `spoils` maps a request's kind and threads, or "all", to Python over `r` (the request), `a` and `v` (the answer and
    its value), which may set `raw`: bytes in place of the answer's line. With `asks_once`, the real agent answers
    requests that differ only in their threads, or in the places of their files, once.
    """
    board, kept = Path(f"{name}.py").resolve(), Path("kept").resolve()
    kept.mkdir(exist_ok=True)
    text = SCRIPT.format(python=sys.executable, read=READ, spoils=dict(spoils), kept=str(kept) if asks_once else "")
    board.write_text(text)
    board.chmod(0o755)
    Path("targets").mkdir(exist_ok=True)
    target = f'board = "b"\nconnection = "local"\nruntimes = ["null"]\npython = "{board}"\n'
    Path(f"targets/{name}.toml").write_text(target)
    return name
