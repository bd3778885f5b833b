"""A file is whole or absent, whatever happens to the process that writes it."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from isospike import files

# The module alone: importing torch would take longer than all the writes.
WRITER = f"""
import importlib.util, itertools, sys
spec = importlib.util.spec_from_file_location("files", {files.__file__!r})
files = importlib.util.module_from_spec(spec)
spec.loader.exec_module(files)
for n in itertools.count(int(sys.argv[2])):
    files.atomic_write(sys.argv[1], bytes([n % 256]) * 4_000_000)
"""


def writing(path, first: int) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(first)])


def test_kill_9_while_writing_leaves_a_whole_file(tmp_path):
    path, wait = tmp_path / "a", random.Random(0)
    files.atomic_write(path, b"\0" * 4_000_000)
    for kill in range(10):
        child, before = writing(path, kill), path.stat().st_mtime_ns
        deadline = time.monotonic() + 30
        while path.stat().st_mtime_ns == before and time.monotonic() < deadline:
            time.sleep(0.005)  # until it has begun
        time.sleep(wait.uniform(0, 0.05))
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        content = path.read_bytes()
        assert len(content) == 4_000_000
        assert content == content[:1] * len(content)


def test_two_writers_leave_the_file_of_one(tmp_path):
    path = tmp_path / "a"
    children = [writing(path, first) for first in (0, 100)]
    deadline = time.monotonic() + 30
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    for _ in range(20):
        time.sleep(0.005)
        content = path.read_bytes()
        assert content == content[:1] * 4_000_000
    for child in children:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()


@pytest.mark.parametrize("text", ['{"a": 1, "a": 1}', '[{"b": {"c": 0, "d": 1, "c": 2}}]'])
def test_json_with_a_key_twice_is_refused(text):
    with pytest.raises(ValueError, match=r"the key '[ac]' stands there twice"):
        files.json_once(text)


def test_other_json_is_read():
    assert files.json_once('{"a": [{"a": 1}, {"a": 2}]}') == {"a": [{"a": 1}, {"a": 2}]}
