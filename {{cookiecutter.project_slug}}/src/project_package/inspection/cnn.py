"""The convolutional network in Keras: its layers, its training, and its export to ONNX.

Training writes a checkpoint after every epoch, so that a run that was killed continues with the
next epoch; a finished network is read again instead of trained again.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import numpy as np
import onnx
from numpy.typing import NDArray

from ..checkpoints import write_checkpoint
from ..contract.training import Hyperparameters, Report
from ..errors import UserError
from .images import stack
from .keras_settings import keras, layers, ops
from .params import Network

Examples: TypeAlias = tuple[NDArray[Any], NDArray[np.float32]]
"""Images of a column, and 1 for those with a defect, (rows,)."""
FIRST_KERNEL = (3, 11)
"""Pixels down and across. Metal is brushed across: 5 x 5 had a lower ROC AUC by .01."""
FLIPS = ((), (1,), (2,), (1, 2))
"""The axes along which an image is turned round: none, one, the other, both."""


@dataclass(frozen=True)
class Run:
    """How to train, where the checkpoint is kept, and what to call after each epoch."""

    options: Network
    seed: int
    checkpoint: Path
    report: Report


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Images of a column, read batch by batch, in their order, and their labels, if there are."""

    def __init__(
        self, images: NDArray[Any], labels: NDArray[np.float32] | None = None, batch: int = 32
    ) -> None:
        super().__init__()
        self._images = images
        self._labels = labels
        self._batch = batch

    def __len__(self) -> int:
        """Return the number of batches."""
        return math.ceil(len(self._images) / self._batch)

    def __getitem__(self, number: int) -> tuple[NDArray[Any], ...]:
        """Return images, (batch, size, size, 1), and their labels."""
        rows = slice(number * self._batch, (number + 1) * self._batch)
        pixels = stack(self._images[rows])
        inputs = pixels.reshape(*pixels.shape[:3], 1)
        return (inputs,) if self._labels is None else (inputs, self._labels[rows])


def build(size: int, settings: Hyperparameters, seed: int) -> keras.Model:
    """Return a network from grey levels (rows, size, size, 1) to probabilities (rows, 1)."""
    keras.utils.clear_session()  # names count from one again
    keras.utils.set_random_seed(seed)
    pixels = keras.Input((size, size, 1), name="pixels")
    x = layers.Dropout(float(settings["dropout"]))(convolve(pixels, int(settings["width"])))
    return keras.Model(pixels, layers.Dense(1, activation="sigmoid", name="probability")(x))


def convolve(pixels: keras.KerasTensor, width: int) -> keras.KerasTensor:
    """Return features of four convolutions, which are trained from scratch.

    They see each image twice, as it is and with the same brightness and contrast as all others.
    """
    x = layers.Rescaling(1 / 128, -1)(pixels)
    normalised = layers.LayerNormalization(axis=(1, 2, 3), center=False, scale=False)(x)
    x = layers.Concatenate()([x, normalised])
    for factor, kernel in ((1, FIRST_KERNEL), (2, (3, 3)), (4, (3, 3))):
        x = layers.Conv2D(factor * width, kernel, padding="same", use_bias=False)(x)
        x = normalise(layers.MaxPooling2D()(x))  # before it, an epoch takes a third longer
    x = layers.Conv2D(8 * width, (3, 3), padding="same", use_bias=False)(x)
    return pool(normalise(x))


def normalise(x: keras.KerasTensor) -> keras.KerasTensor:
    """Return features normalised over the batch and rectified."""
    return layers.ReLU()(layers.BatchNormalization()(x))


def pool(x: keras.KerasTensor) -> keras.KerasTensor:
    """Return maximum and mean of each feature: a defect is local, so the maximum counts too."""
    return layers.Concatenate()(
        [layers.GlobalMaxPooling2D()(x), layers.GlobalAveragePooling2D()(x)]
    )


def augmented(network: keras.Model, rate: float, steps: int) -> keras.Model:
    """Return a compiled model that flips and shifts images, and changes their contrast, first.

    The learning rate falls to 0 over `steps`.
    """
    pixels = keras.Input(network.input_shape[1:])
    x = layers.RandomFlip()(pixels)
    x = layers.RandomContrast(0.2, value_range=(0, 255))(x)
    x = layers.RandomTranslation(0.05, 0.05, fill_mode="reflect")(x)
    model = keras.Model(pixels, network(x))
    model.compile(
        optimizer=keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(rate, steps), weight_decay=0.02
        ),
        loss="binary_crossentropy",
        metrics=[keras.metrics.AUC(name="roc_auc")],
    )
    return model


def over_flips(
    network: keras.Model, size: int, flips: Sequence[tuple[int, ...]] = FLIPS
) -> keras.Model:
    """Return a model of images of a size whose outputs are means over an image and its flips.

    A defect is one in each direction: the mean finds more, in a multiple of the time.
    """
    pixels = keras.Input((size, size, 1), name="pixels")
    views = []
    for axes in flips:
        view = pixels
        for axis in axes:
            view = ops.take(view, np.arange(size)[::-1], axis=axis)
        views.append(view)
    each = network(ops.concatenate(views, axis=0))
    mean = ops.mean(ops.reshape(each, (len(flips), -1, each.shape[1])), axis=0)
    return keras.Model(pixels, mean)


def fit(
    network: keras.Model, rate: float, examples: Examples, held_out: Examples, run: Run
) -> keras.Model:
    """Train a network for as many epochs as the options say; return it with flips: `over_flips`.

    The learning rate falls to 0, so the last epoch is the best. A run with the same checkpoint
    continues after its last epoch, or has finished already: it gives the same weights as one that
    was not killed.

    Raises:
        UserError: the loss is not a number.
    """
    images, labels = examples
    batch = run.options.batch
    steps = -(-len(images) // batch)
    model = augmented(network, rate, run.options.epochs * steps)
    if run.checkpoint.exists():
        model.optimizer.build(model.trainable_variables)
        model.load_weights(run.checkpoint)
    for epoch in range(int(model.optimizer.iterations) // steps, run.options.epochs):
        random = np.random.default_rng((run.seed, epoch))
        for state in model.variables:  # of dropout, flips and the like: no checkpoint has them
            if state.path.endswith("seed_generator_state"):
                state.assign(random.integers(2**31, size=2))
        order = random.permutation(len(images))
        found = model.fit(Batches(images[order], labels[order], batch), shuffle=False, verbose=0)
        scores = {"loss": float(found.history["loss"][0])}
        if len(held_out[0]):
            val_loss, score = model.evaluate(Batches(*held_out, batch), verbose=0)
            scores |= {"val_loss": float(val_loss), "score": float(score)}
        if not np.isfinite([*scores.values()]).all():
            raise UserError(f"The loss of epoch {epoch} is not a number: search lower rates.")
        write_checkpoint(run.checkpoint, model.save_weights)
        run.report(epoch, scores)
    return over_flips(network, network.input_shape[1])


def describe(network: keras.Model) -> bytes:
    """Return the table of a network's layers, as text."""
    lines: list[str] = []
    network.summary(120, print_fn=lines.append, expand_nested=True)
    return "\n".join(lines).encode()


def to_onnx(network: keras.Model) -> bytes:
    """Return the graph of a network in ONNX, for any number of rows."""
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of keras about numpy
        path = Path(folder) / "network.onnx"
        pixels = keras.InputSpec(shape=network.input_shape, dtype="float32", name="pixels")
        network.export(path, format="onnx", verbose=False, input_signature=[pixels])
        return bytes(renamed(onnx.load(path)).SerializeToString())


def renamed(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a graph with numbered names, so that the same network gives the same bytes."""
    graph = model.graph
    names = {}
    for value in (*graph.input, *graph.output):
        names[value.name] = value.name
        value.type.tensor_type.shape.dim[0].dim_param = "rows"
    for number, node in enumerate(graph.node):
        node.name = f"{node.op_type} {number}"
        for listed in (node.input, node.output):
            listed[:] = [names.setdefault(name, f"value {len(names)}") for name in listed]
    for weights in graph.initializer:
        weights.name = names[weights.name]
    graph.initializer.sort(key=lambda weights: weights.name)
    graph.name = "network"
    graph.doc_string = ""
    del graph.value_info[:]
    return model
