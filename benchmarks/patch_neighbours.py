"""The rival of models that learn from good images alone: nearest neighbours of patches.

After PatchCore (Roth and others 2022): patches are described by stages of a trained network,
those of good images are kept, and an image is as unusual as the patch that is farthest from all of
them. PatchCore chooses the patches that it keeps; here they are drawn by chance.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from project_package.inspection import backbone
from project_package.inspection.keras_settings import keras, layers
from project_package.inspection.pretrained import trained_weights

STAGES = (2, 3, 4)
"""They halve an image three and four times, as the stages of PatchCore do."""
KEPT = 10_000
AT_ONCE = 64  # images


def patch_network(size: int) -> keras.Model:
    """Return the network from images to features of patches, means over 3 x 3 neighbours."""
    pixels = keras.Input((size, size, 1))
    stages = backbone.stages(pixels)
    smooth = layers.AveragePooling2D(3, 1, padding="same")
    first, *others = (smooth(stages[index]) for index in STAGES)
    larger = [layers.Resizing(*first.shape[1:3])(other) for other in others]
    network = keras.Model(pixels, [layers.Concatenate()([first, *larger]), stages[-1]])
    network.set_weights([*trained_weights()])
    return network


def unusual(good: NDArray[np.uint8], images: NDArray[np.uint8], seed: int) -> NDArray[np.float32]:
    """Return the distance of the most unusual patch of each image, (rows,)."""
    network = patch_network(images.shape[1])

    def patches(part: NDArray[np.uint8]) -> NDArray[np.float32]:
        found, _ = network.predict(part[..., None], batch_size=AT_ONCE, verbose=0)
        described: NDArray[np.float32] = found.reshape(-1, found.shape[-1])
        return described

    known = patches(good)
    chosen = np.random.default_rng(seed).choice(len(known), min(KEPT, len(known)), replace=False)
    spread = known.std(0) + 1e-6
    neighbours = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(known[chosen] / spread)
    farthest = []
    for start in range(0, len(images), AT_ONCE):
        part = images[start : start + AT_ONCE]
        distances, _ = neighbours.kneighbors(patches(part) / spread)
        farthest.append(distances.reshape(len(part), -1).max(1))
    return np.concatenate(farthest).astype(np.float32)
