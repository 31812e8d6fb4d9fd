"""The convolutional network in Keras: its layers, its training, and its export to ONNX.

Training writes a checkpoint after every epoch, so that a run that was killed continues with the
next epoch; a finished network is read again instead of trained again.
"""

import itertools
import logging
import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # hints of TensorFlow on every start
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # its results differ between processors

import keras
import numpy as np
import onnx
from keras import layers
from numpy.typing import NDArray

from ..checkpoints import write_checkpoint
from ..contract.training import Hyperparameters, Report
from ..errors import UserError
from .params import Network

logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of every new network


Examples: TypeAlias = tuple[NDArray[np.uint8], NDArray[np.float32]]
"""Images, (rows, size, size, 1), and 1 for those with a defect."""


@dataclass(frozen=True)
class Run:
    """How to train, where to keep checkpoints, and what to call after each epoch."""

    options: Network
    checkpoints: Path
    report: Report


def build(
    size: int, settings: Hyperparameters, seed: int, backbone: Path | None = None
) -> keras.Model:
    """Return a network from grey levels (rows, size, size, 1) to probabilities (rows, 1).

    Raises:
        UserError: the file of the backbone, if there is one, cannot be used.
    """
    keras.utils.clear_session()  # names count from one again
    keras.utils.set_random_seed(seed)
    width = int(settings["width"])
    pixels = keras.Input((size, size, 1), name="pixels")
    x = transfer(pixels, width, backbone) if backbone else convolve(pixels, width)
    x = layers.Dropout(float(settings["dropout"]))(x)
    return keras.Model(pixels, layers.Dense(1, activation="sigmoid", name="probability")(x))


def convolve(pixels: keras.KerasTensor, width: int) -> keras.KerasTensor:
    """Return features of four convolutions, which are trained from scratch.

    They see each image twice, as it is and with the same brightness and contrast as all others.
    """
    x = layers.Rescaling(1 / 128, -1)(pixels)
    normalised = layers.LayerNormalization(axis=(1, 2, 3), center=False, scale=False)(x)
    x = layers.Concatenate()([x, normalised])
    for factor, kernel, strides in ((1, 5, 2), (2, 3, 1), (4, 3, 1)):
        x = layers.MaxPooling2D()(block(x, factor * width, kernel, strides))
    return pool(block(x, 8 * width))


def block(
    x: keras.KerasTensor, filters: int, kernel: int = 3, strides: int = 1
) -> keras.KerasTensor:
    """Return a convolution, normalised over the batch and rectified."""
    x = layers.Conv2D(filters, kernel, strides, padding="same", use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization()(x))


def pool(x: keras.KerasTensor) -> keras.KerasTensor:
    """Return maximum and mean of each feature: a defect is local, so the maximum counts too."""
    return layers.Concatenate()(
        [layers.GlobalMaxPooling2D()(x), layers.GlobalAveragePooling2D()(x)]
    )


def transfer(pixels: keras.KerasTensor, width: int, backbone: Path) -> keras.KerasTensor:
    """Return the features of a Keras model that was trained elsewhere, through one trained layer.

    The weights of that model do not change. It gets grey levels from 0 to 255 in each channel: if
    it expects other values, its first layer must rescale them, as in models of `keras.applications`
    with `include_preprocessing=True`.

    Raises:
        UserError: there is no such file, or it is not a model from images to a feature map.
    """
    try:
        model = keras.saving.load_model(backbone, compile=False)
    except (OSError, ValueError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"network.backbone = {backbone} cannot be loaded: {reason}") from error
    given = model.input_shape
    found = model.output_shape
    size = pixels.shape[1]
    if given not in itertools.product((None,), (None, size), (None, size), (1, 3)):
        raise UserError(
            f"network.backbone = {backbone} takes {given}, not images of {size} pixels with 1 or 3 "
            "channels: choose another model, or set data.size to the size that it takes."
        )
    if not isinstance(found, tuple) or len(found) != 4:
        raise UserError(
            f"network.backbone = {backbone} returns {found}, not (rows, height, width, features): "
            "save it without its last layers, with include_top=False."
        )
    for layer in model.layers:
        if isinstance(layer, layers.Normalization):  # its tensors would be inputs in ONNX
            layer.mean = np.array(layer.mean)
            layer.variance = np.array(layer.variance)
    model.trainable = False
    x = layers.Concatenate()([pixels] * 3) if given[3] == 3 else pixels
    x = layers.BatchNormalization()(pool(model(x, training=False)))
    return layers.Dense(4 * width, activation="relu")(x)


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


def fit(
    network: keras.Model, rate: float, examples: Examples, held_out: Examples, run: Run
) -> None:
    """Train a network; stop when the loss on held-out images improves no more.

    The network gets the weights of the epoch with the least such loss. The first epochs, as many as
    `patience`, do not count, unless there are no more: their loss is small as long as the network
    cannot tell images apart. A run with the same checkpoints continues after its last epoch, or has
    finished already.

    Raises:
        UserError: the loss is not a number.
    """
    steps = run.options.epochs * -(-len(examples[0]) // run.options.batch)
    model = augmented(network, rate, steps)
    best, finished = (run.checkpoints / f"{name}.weights.h5" for name in ("best", "finished"))
    if finished.exists():
        network.load_weights(finished)
        return
    run.checkpoints.mkdir(parents=True, exist_ok=True)
    least = np.inf
    if best.exists():  # the run was killed
        network.load_weights(best)
        least = model.evaluate(*held_out, run.options.batch, verbose=0)[0]

    def on_epoch_end(epoch: int, logs: Mapping[str, float]) -> None:
        nonlocal least
        if not np.isfinite(logs["val_loss"]):
            raise UserError(f"The loss of epoch {epoch} is not a number: search lower rates.")
        if epoch <= run.options.patience or logs["val_loss"] < least:
            least = logs["val_loss"]
            write_checkpoint(best, network.save_weights)
        scores = {name: float(logs[name]) for name in ("loss", "val_loss")}
        run.report(epoch, {**scores, "score": float(logs["val_roc_auc"])})

    model.fit(
        *examples,
        validation_data=held_out,
        batch_size=run.options.batch,
        epochs=run.options.epochs,
        verbose=0,
        callbacks=callbacks(run, on_epoch_end, lambda _: best.replace(finished)),
    )
    network.load_weights(finished)


def callbacks(
    run: Run,
    on_epoch_end: Callable[[int, Mapping[str, float]], None],
    on_train_end: Callable[[object], object],
) -> list[keras.callbacks.Callback]:
    """Return what stops training early, calls the functions, and writes checkpoints.

    Checkpoints are last: after a kill before one is written, its epoch is trained again.
    """
    patience = run.options.patience
    return [
        keras.callbacks.EarlyStopping("val_loss", patience=patience, start_from_epoch=patience),
        keras.callbacks.LambdaCallback(on_epoch_end=on_epoch_end, on_train_end=on_train_end),
        keras.callbacks.BackupAndRestore(run.checkpoints / "epochs", double_checkpoint=True),
    ]


def describe(network: keras.Model) -> bytes:
    """Return the table of a network's layers, as text."""
    lines: list[str] = []
    network.summary(120, print_fn=lines.append)
    return "\n".join(lines).encode()


def to_onnx(network: keras.Model) -> bytes:
    """Return the graph of a network in ONNX, for any number of rows."""
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of keras about numpy
        path = Path(folder) / "network.onnx"
        network.export(path, format="onnx", verbose=False)
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
