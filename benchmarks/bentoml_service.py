"""The champion's graph in BentoML, in an environment of its own: bentoml, numpy, onnxruntime."""

import os

import bentoml  # type: ignore[import-not-found]
import numpy as np
import onnxruntime  # type: ignore[import-untyped]


@bentoml.service(workers=1)
class Fraud:
    """Answers rows of features, (rows, features), with scores."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(os.environ["GRAPH"], options)

    @bentoml.api  # type: ignore[untyped-decorator]
    def predict(self, features: list[list[float]]) -> list[float]:
        """Return the score of each row."""
        rows = np.array(features, np.float32)
        (probabilities,) = self.session.run(["probabilities"], {"features": rows})
        scores: list[float] = probabilities[:, 1].tolist()
        return scores
