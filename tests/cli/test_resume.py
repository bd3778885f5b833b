"""`isospike train --resume`: the same run goes on, any other is refused before an image is read."""

import pytest
from safetensors.torch import load_file, save_file

from cli.tool import SMALL
from isospike.cli import normalisation, train
from isospike.train.checkpoint import read_tensors, write_tensors
from isospike.train.run import Run


@pytest.fixture
def cut_off(tool, monkeypatch):
    """Words of a run, which is cut off in its second epoch -> all words of it."""
    whole = Run.epoch

    def cut(run, trainer, epoch, held):
        if epoch == 1:
            raise KeyboardInterrupt
        whole(run, trainer, epoch, held)

    def begin(*words):
        words = ["train", "--data", "npz:data.npz", "--epochs", 2, "--out", "r", *SMALL, *words]
        with monkeypatch.context() as patch:
            patch.setattr(Run, "epoch", cut)
            answer = tool(*words)
        assert answer.code == 130, answer.err
        return words

    return begin


def test_a_run_that_is_there_is_refused_or_goes_on_before_an_image_is_read(
    tool, cut_off, monkeypatch
):
    words = cut_off("--model", "zoo:resnet20")
    with monkeypatch.context() as patch:
        patch.setattr(train, "load_data", lambda *_: 1 / 0)
        for more in ([], ["--resume", "--seed", 3]):
            again = tool(*words, *more)
            assert again.code == 2
            assert ("seed was 0, not 3" if more else "--resume") in again.err
    monkeypatch.setattr(normalisation, "moments", lambda data: 1 / 0)  # those of the run are taken
    done = tool(*words, "--resume")
    assert done.code == 0, done.err


@pytest.mark.parametrize("finished", [False, True])
@pytest.mark.parametrize("given", [[], ["--init", "a.safetensors"]])
def test_a_run_goes_on_with_what_it_started_from_or_not_at_all(tool, cut_off, given, finished):
    weights = load_file(tool.folder / "net.safetensors")
    for name, scale in (("a", 1.0), ("b", 2.0)):
        more = {"fc.weight": weights["fc.weight"] * scale}
        save_file({**weights, **more}, tool.folder / f"{name}.safetensors")
    words = cut_off("--model", "net.py:build", *given)
    alone = words[: -len(given)] if given else words
    if finished:
        assert tool(*words, "--resume").code == 0
    for wrong in ([], ["--init", "a.safetensors"], ["--init", "b.safetensors"]):
        if wrong != given:
            other = tool(*alone, *wrong, "--resume")
            assert other.code == 2
            assert "r holds another run: init_sha256 was" in other.err
    done = tool(*words, "--resume")
    assert done.code == 0, done.err


@pytest.mark.parametrize("finished", [False, True])
def test_a_run_goes_on_with_the_code_of_its_network_or_not_at_all(tool, cut_off, finished):
    words = cut_off("--model", "net.py:build")
    if finished:
        assert tool(*words, "--resume").code == 0
    file = tool.folder / "net.py"
    code = file.read_text()
    file.write_text(code + "# the same shapes\n")
    other = tool(*words, "--resume")
    assert other.code == 2
    assert "r holds another run: code_sha256 was" in other.err
    file.write_text(code)
    done = tool(*words, "--resume")
    assert done.code == 0, done.err


@pytest.mark.parametrize("finished", [False, True])
@pytest.mark.parametrize(
    ("fact", "length", "more"),
    [("init_sha256", None, ["--init", "net.safetensors"]), ("code_sha256", 64, [])],
)
def test_a_run_that_does_not_say_what_later_ones_do_goes_on(
    tool, cut_off, finished, fact, length, more
):
    words = cut_off("--model", "net.py:build")
    if finished:
        assert tool(*words, "--resume").code == 0
    for path in (tool.folder / "r").rglob("*.safetensors"):
        tensors, facts = read_tensors(path)
        said = facts.pop(fact)
        assert said is None if length is None else len(said) == length
        write_tensors(path, tensors, facts)
    done = tool(*words, *more, "--resume")
    assert done.code == 0, done.err


@pytest.mark.filterwarnings("default")
def test_a_damaged_checkpoint_is_told_once(tool, cut_off):
    words = cut_off("--model", "net.py:build")
    (tool.folder / "r/checkpoints/epoch-0002.safetensors").write_bytes(b"half")
    done = tool(*words, "--resume")
    assert done.code == 0, done.err
    assert done.err.count("going on after epoch 1") == 1
