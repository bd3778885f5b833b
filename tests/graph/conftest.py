"""Without the extra `onnx` its tests are left out."""

from importlib.util import find_spec

PACKAGES = ("onnx", "onnxruntime", "onnxscript")
collect_ignore_glob = [] if all(map(find_spec, PACKAGES)) else ["test_onnx*.py"]
