"""Keras on TensorFlow, with the settings that count only before it is imported."""

import logging
import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # hints of TensorFlow on every start
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # its results differ between processors

import keras
from keras import layers, ops

logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of every new network

__all__ = ["keras", "layers", "ops"]
