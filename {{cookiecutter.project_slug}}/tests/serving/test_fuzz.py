"""Schemathesis sends a running server what its own OpenAPI document allows, and what it forbids.

FUZZ_CASES says how many cases each operation gets: few in every run, hundreds now and then.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

CASES = os.environ.get("FUZZ_CASES", "20")
# A rule over several fields is none of JSON Schema's: what keeps the schema may be refused by it.
CONFIG = """
generation.database = "none"
checks.positive_data_acceptance.expected-statuses = ["2xx", "422"]
checks.negative_data_rejection.expected-statuses = ["401", "405", "413", "422"]
"""


def test_no_case_fails_and_every_answer_is_as_documented(
    started: Callable[..., Any], tmp_path: Path
) -> None:
    server, config = started(), tmp_path / "schemathesis.toml"
    config.write_text(CONFIG)
    key = f"Authorization: {server.headers['Authorization']}"
    program = str(Path(sys.executable).with_name("schemathesis"))
    command = [program, "--config-file", str(config), "run"]
    options = [f"{server.url}/openapi.json", "--checks", "all", "-n", CASES, "-H", key]
    done = subprocess.run(
        [*command, *options], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    tried = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert tried
    assert int(tried[1]) == int(tried[2]) >= 200
    assert server.stop() == 0
    lines = [json.loads(line) for line in server.stderr.read_text().splitlines()]
    assert not [line for line in lines if line.get("status", 0) >= 500 or "traceback" in line]
