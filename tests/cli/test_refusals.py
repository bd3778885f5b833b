"""What is wrong is said in one screen, with the right exit code, and nothing is written."""

import numpy as np
import pytest

from cli.tool import DATA, NET
from zoo.tiny import images

WRONG = {
    "no such file": (("evaluate", "gone.iso", *DATA), 2, "no such file: gone.iso"),
    "no such form": (("evaluate", "net.h5", *DATA), 2, "MODEL 'net.h5'"),
    "no such function": (("inspect", "net.py:gone"), 2, "has no 'gone'"),
    "no model": (("inspect", "net.py:nothing", "--input-shape", "2,8,8"), 2, "returned int"),
    "no shape": (("inspect", *NET), 2, "--input-shape C,H,W is needed"),
    "bad shape": (("inspect", *NET, "--input-shape", "2,x"), 2, "whole numbers"),
    "no such network": (("inspect", "zoo:gone"), 2, "gone"),
    "weights of a bundled one": (("inspect", "zoo:fashion-relu", "--weights", "a"), 2, "bundled"),
    "no such recipe": (("convert", *NET, *DATA, "--recipe", "isso", "--out", "a.iso"), 2, "'iso'"),
    "no such knob": (
        ("convert", *NET, *DATA, "--set", "weights.rigde=1", "--out", "a.iso"), 2, "ridge"
    ),
    "no equals": (("convert", *NET, *DATA, "--set", "ridge", "--out", "a.iso"), 2, "part.knob=value"),
    "steps": (("evaluate", *NET, *DATA, "--steps", "1,two"), 2, "whole numbers"),
    "no steps": (("evaluate", *NET, *DATA, "--steps", "0"), 2, "steps"),
    "no such data": (("evaluate", *NET, "--data", "npz:gone.npz"), 1, "gone.npz"),
    "data of no form": (("evaluate", *NET, "--data", "cifar"), 2, "cifar"),
    "normalize": (("evaluate", *NET, *DATA, "--normalize", "1:0"), 2, "--normalize"),
    "no such folder": (("convert", *NET, *DATA, "--out", "gone/a.iso"), 2, "no such folder"),
    "not converted": (("audit", "net.py:build", *DATA), 2, "takes a FILE.iso"),
    "no weights": (("inspect", "net.py:build", "--weights", "gone", "--input-shape", "2,8,8"), 2, "gone"),
    "weights that are none": (
        ("inspect", "net.py:build", "--weights", "net.py", "--input-shape", "2,8,8"), 1, "safetensors"
    ),
    "what cannot be converted": (
        ("convert", "net.py:bad", *DATA, "--out", "a.iso"), 1, "1: sigmoid"
    ),
    "a file that is no network": (("evaluate", "broken.iso", *DATA), 1, "broken.iso"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_one_screen_the_code_and_no_file(tool, name):
    words, code, told = WRONG[name]
    (tool.folder / "broken.iso").write_bytes(b"nothing of the kind")
    before = sorted(path.name for path in tool.folder.iterdir())
    answer = tool(*words)
    assert answer.code == code, answer.err
    assert told in answer.err
    assert answer.err.startswith("error: ")
    assert len(answer.err.splitlines()) <= 24
    assert "Traceback" not in answer.err
    after = sorted(path.name for path in tool.folder.iterdir() if path.name != "__pycache__")
    assert after == before


def test_debug_adds_the_traceback(tool):
    assert "Traceback" in tool("inspect", "net.py:gone", "--debug").err


def test_images_of_another_size(tool):
    np.savez(tool.folder / "large.npz", x_test=images(4).numpy(), y_test=np.zeros(4, np.int64))
    assert tool("convert", *NET, *DATA, "--recipe", "opi", "--out", "a.iso").code == 0
    wide = np.zeros((4, 2, 9, 9), np.float32)
    np.savez(tool.folder / "wide.npz", x_test=wide, y_test=np.zeros(4, np.int64))
    answer = tool("evaluate", "a.iso", "--data", "npz:wide.npz", "--steps", "8")
    assert answer.code == 1
    assert "9, 9" in answer.err
    assert "8, 8" in answer.err


def test_a_set_without_training_images_names_the_way_out(tool):
    np.savez(tool.folder / "test.npz", x_test=images(4).numpy(), y_test=np.zeros(4, np.int64))
    answer = tool("convert", *NET, "--data", "npz:test.npz", "--out", "a.iso")
    assert answer.code == 1
    assert "--calibration" in answer.err or "x_train" in answer.err


def test_names_from_a_file_cannot_move_the_cursor(tool):
    answer = tool("evaluate", "\x1b[2Jgone.iso", *DATA)
    assert "\x1b" not in answer.err
