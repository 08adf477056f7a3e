"""Runs the tests of the SDKs in JavaScript (tests/sdk/javascript/) with the packages in a folder; closes with "N passed, N failed".

`javascript.py FOLDER`: it holds `node_modules`, and is given a copy of the tests, since modules are looked for beside the file that asks for them.
The gateway is ours; the tests are told where it is and how to make tokens by their environment.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import harness

TESTS = pathlib.Path(__file__).parent / "javascript"
PATIENCE = 300
NODE = os.environ.get("NODE", "node")


def run(folder, gateway):
    """Runs all tests, prints what they say, and returns how many passed and failed."""
    files = sorted(TESTS.glob("*.mjs"))
    for file in files:
        shutil.copy(file, folder)
    report = folder / "report.tap"
    # One file after the other: some count requests, and this machine may be small.
    command = [NODE, "--test", "--test-concurrency=1", "--test-reporter=spec", "--test-reporter-destination=stdout", "--test-reporter=tap", f"--test-reporter-destination={report}"]
    command += [file.name for file in files if file.name.endswith(".test.mjs")]
    inherited = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    environment = {**inherited, "GATEWAY_URL": gateway.url, "OPS_URL": gateway.ops, "MAIN_KEY": harness.MAIN_KEY, "HELD_SECRET": gateway.hold_all("js-held")}
    subprocess.run(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, timeout=PATIENCE)
    counts = dict(re.findall(r"^# (\w+) (\d+)$", report.read_text(), re.MULTILINE))
    return int(counts["pass"]), int(counts["tests"]) - int(counts["pass"])


if __name__ == "__main__":
    print(f"node {subprocess.run([NODE, '--version'], capture_output=True, text=True, check=True).stdout.strip()}", flush=True)
    gateway = harness.Gateway()
    try:
        passed, failed = run(pathlib.Path(sys.argv[1]).resolve(), gateway)
    finally:
        gateway.stop()
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)
