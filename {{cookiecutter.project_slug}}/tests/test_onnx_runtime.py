"""ONNX Runtime reports nothing to its maker, and maps weights that are in a file."""

from pathlib import Path

import numpy as np
import pytest
from machine import run_python
from onnx import TensorProto, helper
from onnx.external_data_helper import set_external_data

LOAD = """
import sys
from pathlib import Path
from project_package.onnx_runtime import OnnxModel
OnnxModel(Path(sys.argv[1]).read_bytes(), dict)
"""

MEGABYTES = 64
MEMORY = """
import sys
from pathlib import Path
import numpy as np
from project_package.onnx_runtime import OnnxModel

def megabytes():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024

folder = Path(sys.argv[1])
before = megabytes()
model = OnnxModel((folder / "model.onnx").read_bytes(), dict, weights=folder / "weights")
answer = model.predict({"x": np.ones((1, 4096), np.float32)})["y"]
print(answer.sum(), megabytes() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux says so")
def test_weights_in_a_file_are_mapped_into_memory(tmp_path: Path) -> None:
    shape = (4096, MEGABYTES * 2**20 // 4 // 4096)
    (tmp_path / "weights").write_bytes(np.ones(shape, np.float32).tobytes())
    weights = TensorProto(name="w", dims=shape, data_type=TensorProto.FLOAT, raw_data=b"moved")
    set_external_data(weights, "weights", 0, MEGABYTES * 2**20)
    weights.ClearField("raw_data")
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, None]) for name in "xy")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [x], [y], [weights]
    )
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(graph, ir_version=8, opset_imports=[opset])
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    done = run_python(MEMORY, tmp_path)
    assert done.returncode == 0, done.stderr
    answer, more = map(float, done.stdout.split())
    assert answer == shape[0] * shape[1]
    assert more < MEGABYTES / 4


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
