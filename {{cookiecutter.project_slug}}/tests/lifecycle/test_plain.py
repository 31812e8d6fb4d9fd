"""A table without time, entities and history is served, by a JSON file and by an ONNX graph."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from plain import use_case
from plain.use_case import TRAINING, make_task
from projects import open_project, run_plain

from project_package.columns import length
from project_package.lifecycle.predicted_test_rows import splits_of
from project_package.lifecycle.project import Project
from project_package.model_store import CHAMPION
from project_package.serving.app import create_app

pytestmark = pytest.mark.system
FILES = {"linear": "weights.json", "tree": "model.onnx"}


@pytest.fixture(scope="module", params=FILES)
def champion(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project whose champion is of one candidate."""
    if request.param == "linear":
        return open_project(use_case, request.getfixturevalue("trained"))
    root = tmp_path_factory.mktemp("tree")
    return open_project(use_case, run_plain(root, '[train]\ncandidates = ["tree"]\n'))


@pytest.fixture(scope="module")
def client(champion: Project) -> Iterator[TestClient]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(champion.workspace.root)
        patch.setenv("SERVE_KEYS", "off")
        patch.setenv("LOG_URL", "off")
        with TestClient(create_app(make_task)) as client:
            yield client


def test_champion_has_the_files_of_its_candidate(champion: Project) -> None:
    version, bundle, _ = champion.store.load(CHAMPION)
    assert version == 1
    assert FILES[bundle.manifest.candidate] in bundle.files
    assert len(set(FILES.values()) & set(bundle.files)) == 1


def test_server_answers_as_the_evaluation_predicted(champion: Project, client: TestClient) -> None:
    bundle = champion.store.load(CHAMPION)[1]
    rows = splits_of(champion, bundle).test
    expected = champion.load(bundle).predict(rows)["probability"]
    customers = TRAINING.examples(champion.workspace.root, rows, length(rows))
    body = {"instances": [customer.model_dump() for customer in customers]}
    answer = client.post("/v1/predict", json=body).raise_for_status().json()
    assert [response["probability"] for response in answer["predictions"]] == expected.tolist()
