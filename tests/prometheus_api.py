"""What Prometheus and Alertmanager say, and the expressions that a project makes them evaluate."""

import json
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

import yaml
from conftest import PROGRAM
from demo import get
from machine import wait_for

PROMETHEUS, ALERTMANAGER = "http://127.0.0.1:9090", "http://127.0.0.1:9093"


def is_ready() -> bool:
    """Return whether Prometheus answers queries."""
    try:
        with urlopen(f"{PROMETHEUS}/-/ready", timeout=10):
            return True
    except OSError:  # HTTPError is one
        return False


def query(expression: str) -> list[dict[str, Any]]:
    """Return the values of an expression now; raise HTTPError if it is invalid."""
    wait_for(is_ready)
    answer = get(f"{PROMETHEUS}/api/v1/query?query={quote(expression)}")
    values: list[dict[str, Any]] = answer["data"]["result"]
    return values


def targets() -> set[tuple[str, str]]:
    """Return the jobs and the health of what Prometheus reads now.

    The metric `up` also has targets of the last five minutes, if Prometheus was stopped since.
    """
    active = get(f"{PROMETHEUS}/api/v1/targets?state=active")["data"]["activeTargets"]
    return {(target["labels"]["job"], target["health"]) for target in active}


def alerts() -> dict[str, dict[str, str]]:
    """Return the labels of the alerts that reached Alertmanager, by name."""
    found = get(f"{ALERTMANAGER}/api/v2/alerts")
    return {alert["labels"]["alertname"]: alert["labels"] for alert in found}


def expressions() -> list[str]:
    """Return the expressions of the dashboard."""
    dashboard = json.loads((PROGRAM / "deploy" / "grafana" / "dashboard.json").read_text("utf-8"))
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


def rules() -> list[dict[str, Any]]:
    """Return the rules for alerts."""
    groups = yaml.safe_load((PROGRAM / "deploy" / "alerts.yml").read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]
