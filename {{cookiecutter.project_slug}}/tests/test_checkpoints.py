"""A training run is found again by all that decides its weights, and no kill leaves half a file."""

from pathlib import Path

import numpy as np
import pytest

from project_package.checkpoints import cache_key, run_folder, write_checkpoint
from project_package.columns import Columns

ROWS: Columns = {"image": np.zeros((2, 3, 3), np.uint8), "part": np.array(["a", "b"], object)}


def test_key_changes_with_code_rows_and_options() -> None:
    keys = {
        cache_key(b"code", ROWS, ("rate", 0.1)),
        cache_key(b"other code", ROWS, ("rate", 0.1)),
        cache_key(b"code", ROWS, ("rate", 0.2)),
        cache_key(b"code", {**ROWS, "part": np.array(["a", "c"], object)}, ("rate", 0.1)),
        cache_key(b"code", {**ROWS, "image": ROWS["image"] + 1}, ("rate", 0.1)),
        cache_key(b"code", {**ROWS, "image": ROWS["image"].reshape(2, 9)}, ("rate", 0.1)),
    }
    assert len(keys) == 6
    assert cache_key(b"code", {**ROWS}, ("rate", 0.1)) in keys


def test_interrupted_write_leaves_the_old_checkpoint(tmp_path: Path) -> None:
    path = run_folder(tmp_path, "key") / "best.weights.h5"
    write_checkpoint(path, lambda unfinished: unfinished.write_bytes(b"old"))

    def interrupted(unfinished: Path) -> None:
        assert unfinished.name.endswith(".weights.h5")
        unfinished.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_checkpoint(path, interrupted)
    assert path.read_bytes() == b"old"
    write_checkpoint(path, lambda unfinished: unfinished.write_bytes(b"new"))
    assert path.read_bytes() == b"new"
