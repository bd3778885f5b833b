"""Where in the user's code a node of an exported program comes from."""

from __future__ import annotations

from pathlib import Path

from torch import fx


def place(node: fx.Node) -> tuple[str, str]:
    """Module path and source line. A functional call is named after its parent and its operator."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    path, kind = stack[-1] if stack else ("", "")
    path = path.split("@")[0].removeprefix("L['self'].")
    name = (
        str(node.target).removeprefix("aten.").removeprefix("isospike.").split(".")[0].rstrip("_")
    )
    own = str(kind).rpartition(".")[0]
    if not (path and own.startswith(("torch.nn.modules", "isospike.activations"))):
        path = f"{path}.{name}" if path else name
    return path, _source_line(node.meta.get("stack_trace") or "")


def _source_line(trace: str) -> str:
    """`net.py:12: x = self.relu(x)`, the innermost line that is not torch's own."""
    lines = [line.strip() for line in trace.splitlines()]
    for at in range(len(lines) - 1, -1, -1):
        if lines[at].startswith('File "') and "/torch/" not in lines[at]:
            file, _, rest = lines[at][6:].partition('", line ')
            code = lines[at + 1] if at + 1 < len(lines) else ""
            return f"{Path(file).name}:{rest.split(',')[0]}: {code}"
    return ""
