"""Keras on TensorFlow, with the settings that count only before it is imported."""

import logging
import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # hints of TensorFlow on every start
# Unless it is limited, oneDNN chooses by the processor, and weights differ. AVX-512 is no faster.
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")

stderr = os.dup(2)  # TensorFlow says there that oneDNN is on, and no setting prevents it
try:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    import keras
    from keras import layers, ops
finally:
    os.dup2(stderr, 2)

logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of every new network

__all__ = ["keras", "layers", "ops"]
