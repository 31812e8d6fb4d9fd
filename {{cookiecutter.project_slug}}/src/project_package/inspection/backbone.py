"""EfficientNet-Lite0, a network that was trained on photos (Tan and Le 2019), without its head.

What its stages find in a photo also describes other images. Its weights never change, so a model
learns from few images.
"""

from collections.abc import Sequence

from .cnn import over_flips, pool
from .keras_settings import keras, layers

STAGES = (  # blocks, size of the kernel, stride of the first block, expansion, filters
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
)
DESCRIBING = 3
"""Stages whose features are used, the last ones: they had the highest ROC AUC on solar cells."""
HALF_TURN = ((), (1, 2))
"""Flips of an image: itself and its half turn had the ROC AUC of all four."""


def build(size: int, scales: Sequence[int]) -> keras.Model:
    """Return the network from grey levels (rows, size, size, 1) to features (rows, 768 a scale).

    Scales are sides in pixels to which images are resized. The features are means over flips.
    """
    pixels = keras.Input((size, size, 1))
    network = feature_network()
    network.trainable = False
    resized = [network(layers.Resizing(scale, scale)(pixels)) for scale in scales]
    features = layers.Concatenate()(resized) if len(resized) > 1 else resized[0]
    return over_flips(keras.Model(pixels, features), size, HALF_TURN)


def feature_network() -> keras.Model:
    """Return the network from grey levels (rows, any, any, 1) to features (rows, 768).

    They are maximum and mean of each feature of three stages.
    """
    pixels = keras.Input((None, None, 1))
    pooled = [pool(stage) for stage in stages(pixels)[-DESCRIBING:]]
    return keras.Model(pixels, layers.Concatenate()(pooled))


def stages(pixels: keras.KerasTensor) -> list[keras.KerasTensor]:
    """Return what each stage makes of grey levels, (rows, height, width, filters)."""
    x = layers.Rescaling(1 / 128, -127 / 128)(layers.Concatenate()([pixels] * 3))
    x = convolve(x, layers.Conv2D(32, 3, 2, padding="same", use_bias=False))
    found = []
    for blocks, kernel, stride, expansion, filters in STAGES:
        for number in range(blocks):
            x = block(x, kernel, 1 if number else stride, expansion, filters)
        found.append(x)
    return found


def block(
    x: keras.KerasTensor, kernel: int, stride: int, expansion: int, filters: int
) -> keras.KerasTensor:
    """Return an inverted bottleneck: a wide convolution in each channel between two narrow ones."""
    before = x
    if expansion > 1:
        wide = expansion * x.shape[-1]
        x = convolve(x, layers.Conv2D(wide, 1, use_bias=False))
    x = convolve(x, layers.DepthwiseConv2D(kernel, stride, padding="same", use_bias=False))
    x = layers.Conv2D(filters, 1, use_bias=False)(x)
    x = layers.BatchNormalization(epsilon=1e-3)(x)
    return layers.Add()([before, x]) if before.shape == x.shape else x


def convolve(x: keras.KerasTensor, layer: keras.Layer) -> keras.KerasTensor:
    """Return a convolution, normalised and rectified."""
    return layers.ReLU(6)(layers.BatchNormalization(epsilon=1e-3)(layer(x)))
