"""Weights by chance for the network trained on photos: tests need no package that has the real."""

import numpy as np
import pytest

from project_package.inspection import backbone
from project_package.inspection.pretrained import Backbone


@pytest.fixture(scope="session")
def random_backbone(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    """Return the network with weights of the size that keeps features finite."""
    random = np.random.default_rng(0)
    shapes = [weights.shape for weights in backbone.feature_network().weights]
    drawn = [random.normal(0, 0.2, s) if len(s) == 4 else np.ones(s) for s in shapes]
    return Backbone(lambda: drawn, tmp_path_factory.mktemp("weights"), scales=(32, 48))
