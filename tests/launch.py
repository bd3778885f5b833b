"""Start a test's processes as `accelerate launch` does, also where there are only CPUs."""

import os
import subprocess
import sys


def launch(count, *words, folder=None, **variables):
    """`python WORDS` as `count` processes, with environment variables; `told` waits for them."""
    launcher = [
        "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", str(count),
        "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no",
        "--main_process_port", "0",
    ] if count > 1 else []  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **variables}
    return subprocess.Popen(
        [sys.executable, *launcher, *words], cwd=folder, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def told(run):
    """What a run printed; a run that failed fails the test with its errors."""
    printed, wrong = run.communicate(timeout=110)
    assert run.returncode == 0, wrong
    return printed
