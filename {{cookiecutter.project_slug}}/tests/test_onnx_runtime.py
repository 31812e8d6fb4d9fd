"""ONNX Runtime reports nothing to its maker."""

from pathlib import Path

import pytest
from machine import run_python
from onnx import TensorProto, helper

LOAD = """
import sys
from pathlib import Path
from project_package.onnx_runtime import OnnxModel
OnnxModel(Path(sys.argv[1]).read_bytes(), dict)
"""


def test_sessions_are_not_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)  # with which nothing is reported anyway
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)  # of this process
    home = tmp_path / "home"
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(home))
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [None]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "same", [x], [y])
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(graph, ir_version=8, opset_imports=[opset])
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    done = run_python(LOAD, tmp_path / "model.onnx")
    assert done.returncode == 0, done.stderr
    assert not home.exists()  # else it has an id of the machine and a queue of events
