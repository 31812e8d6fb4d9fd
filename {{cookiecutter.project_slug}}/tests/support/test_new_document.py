"""A document is added by a file; its questions are then answered from it."""

from pathlib import Path

import numpy as np
import pytest

from project_package.support.dataset import load_data, read_rows
from project_package.support.models import candidates
from project_package.support.params import SupportParams

TEXT = "# Fishing\n\nYou may fish from the pier with a licence of the club.\n"


@pytest.mark.system
def test_document_is_added_by_a_file(tmp_path: Path) -> None:
    source = tmp_path / "own"
    source.mkdir()
    (source / "boats.md").write_text("# Boats\n\nBoats are for hire from May to August.\n")
    (source / "questions.csv").write_text("question,documents\nWhen is a boat for hire?,boats.md\n")
    data = {"sources": [str(source)]}
    params = SupportParams.model_validate({"name": "own", "data": data})
    question = np.array(["Can I catch fish at the pier?"], object)
    found = []
    for text in (None, TEXT):
        if text:
            (source / "fishing.md").write_text(text)
        load_data(params, tmp_path, lambda _: None)
        *_, hybrid = candidates(params, tmp_path)
        fitted = hybrid.fit(read_rows(tmp_path)[0], hybrid.start, 1)
        found.append(fitted.predict({"question": question})["document"][0].tolist())
    assert found == [["boats.md"], ["fishing.md", "boats.md"]]
