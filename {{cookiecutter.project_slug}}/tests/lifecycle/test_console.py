"""What a command prints is plain text, whatever the text holds."""

import pytest

from project_package.lifecycle.console import Console


def test_brackets_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    console.print("[bold]line[/]")
    console.table("doctor", ("path",), [("/home/[user]/[/end]",)])
    out = capsys.readouterr().out
    assert "[bold]line[/]" in out
    assert "/home/[user]/[/end]" in out
