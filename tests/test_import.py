"""`import isospike` is light: it starts nothing, asks nobody, and leaves the extras alone."""

import json
import subprocess
import sys

CODE = """
import json, socket, sys, threading, warnings
warnings.simplefilter("error")
import torch

def refuse(*args, **kwargs):
    raise AssertionError("the network was used")

socket.socket.connect = socket.getaddrinfo = refuse
threads = threading.active_count()
import isospike
print(json.dumps({
    "cuda": torch.cuda.is_initialized(),
    "threads": threading.active_count() - threads,
    "modules": sorted(name for name in sys.modules if "." not in name),
}))
"""
EXTRAS = {
    "accelerate", "datasets", "hypothesis", "jinja2", "matplotlib", "nir", "onnx", "onnxruntime",
    "pandas", "PIL", "plotly", "pytest", "timm", "torchvision", "transformers", "typer",
}  # fmt: skip


def test_import_starts_nothing_and_leaves_the_extras_alone():
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=100
    )
    found = json.loads(done.stdout)
    assert not found["cuda"]
    assert found["threads"] == 0
    assert "safetensors" in found["modules"]
    assert set(found["modules"]) & EXTRAS == set()
