"""What the log says of a use case is what its evaluation says."""

import json
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from projects import open_project

from project_package.columns import Columns, length
from project_package.lifecycle.predicted_test_rows import splits_of
from project_package.lifecycle.project import Project
from project_package.model_store import CHAMPION
from project_package.monitoring.quality import has_scores
from project_package.prediction_log import to_json_rows
from project_package.reference import REFERENCE, Numbers, Reference

LABELS: Mapping[str, Callable[[Columns, str], list[dict[str, Any]]]] = {
    "tabular": lambda rows, name: [{name: code} for code in rows[name].tolist()],
    "fraud": lambda rows, _: [{"is_fraud": float(fraud)} for fraud in rows["is_fraud"]],
    "demand": lambda rows, _: [{"units": units} for units in rows["units"].tolist()],
    "inspection": lambda rows, _: [{"defect": bool(one)} for one in rows["is_defective"]],
    "sessions": lambda rows, _: [{"items": [*bought]} for bought in rows["bought"]],
}
"""The labels of test rows, as clients send them (rows, target)."""
