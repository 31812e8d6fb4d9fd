"""Routes of serving platforms: each module of this package adds those of one.

All take the bodies of `platform_formats.py`; refusals are those of /v1/predict.
"""

from importlib import import_module
from pkgutil import iter_modules

from fastapi import FastAPI

from ...contract.task import Task
from ..model_loader import ModelLoader
from ..platform_formats import make_endpoint
from ..prediction_service import Predict


def add_platforms(app: FastAPI, task: Task, predict: Predict, champion: ModelLoader) -> None:
    """Add the routes of each platform, without documentation; those of health need no key."""
    endpoint = make_endpoint(task, predict)
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}").add_routes(app, endpoint, champion)
