"""Commands and answers that documents show: run the commands, compare the answers."""

import re
import shlex
from decimal import Decimal
from typing import Any

SERVES = re.compile(r"^(make serve|(\w+=\S+ )*uv run ml serve)\b")


def commands_of(document: str) -> list[str]:
    """Return the commands in the bash blocks of a document."""
    blocks = re.findall(r"^```bash\n(.*?)^```", document, re.MULTILINE | re.DOTALL)
    lines = [re.sub(r"\s+#.*", "", line) for block in blocks for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def script_of(commands: list[str]) -> str:
    """Return a script that runs commands one by one, servers in the background."""
    ready = "curl --silent --fail --output /dev/null http://127.0.0.1:8000/readyz"
    wait = f"for i in $(seq 300); do {ready} && break; sleep 0.1; done; {ready}"
    lines = ["set -euo pipefail"]
    for command in commands:
        lines.append(f"echo {shlex.quote(f'$ {command}')}")
        lines += [f"{command} &", wait] if SERVES.match(command) else [command]
    return "\n".join(lines)


def is_shown(shown: Any, answer: Any) -> bool:
    """Return whether a document shows an answer: rounded, and with "..." for further items."""
    if isinstance(shown, dict):
        return shown.keys() == answer.keys() and all(is_shown(shown[k], answer[k]) for k in shown)
    if isinstance(shown, list):
        is_cut = shown[-1:] == ["..."]
        items = shown[:-1] if is_cut else shown
        same = len(items) < len(answer) if is_cut else len(items) == len(answer)
        return same and all(map(is_shown, items, answer))
    if isinstance(shown, Decimal):
        return Decimal(str(answer)).quantize(shown) == shown
    return bool(shown == answer)
