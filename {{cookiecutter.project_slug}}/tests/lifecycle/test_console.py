"""What a command prints is plain text, whatever the text holds."""

import pytest

from project_package.lifecycle.console import Console


def test_brackets_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    console.table("doctor", ("path",), [("/home/[user]/[/end]",)])
    assert "/home/[user]/[/end]" in capsys.readouterr().out
