import pytest

from cli.tool import Tool


@pytest.fixture
def tool(tmp_path, monkeypatch, capsys):
    return Tool(tmp_path, monkeypatch, capsys)
