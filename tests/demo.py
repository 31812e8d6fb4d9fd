"""Generate a project, install it, run its pipeline, serve it, send a request; print the results.

`make demo` runs this. The project stays in build/; the previous one is kept as *.previous.
With `--project`, use an installed project instead of a new one.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cookiecutter.generate import generate_context
from cookiecutter.main import cookiecutter
from cookiecutter.prompt import prompt_for_config
from rich.console import Console
from rich.table import Table

TEMPLATE = Path(__file__).resolve().parent.parent
BUILD = TEMPLATE / "build"
PYTHONS: list[str] = json.loads((TEMPLATE / "cookiecutter.json").read_text())["python_version"]
SECONDS_TO_READY = 30

console = Console()


class DemoError(Exception):
    """A step failed; the message is one sentence for people."""


def running_python() -> str:
    """Return the version of the running Python if projects support it, else the default."""
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    return running if running in PYTHONS else PYTHONS[0]


def generate(use_case: str) -> Path:
    """Generate a project with default answers in build/ and return its folder."""
    answers = {"use_case": use_case, "python_version": running_python()}
    context = generate_context(str(TEMPLATE / "cookiecutter.json"), extra_context=answers)
    slug: str = prompt_for_config(context, no_input=True)["project_slug"]
    project = BUILD / slug
    if project.exists():
        previous = project.with_suffix(".previous")
        shutil.rmtree(previous, ignore_errors=True)
        project.rename(previous)
    cookiecutter(
        str(TEMPLATE),
        no_input=True,
        default_config=True,
        output_dir=str(BUILD),
        extra_context=answers,
    )
    return project


def environment() -> dict[str, str]:
    """Return the environment for commands of a project: uv on the path, without our variables.

    MYPY_CACHE_DIR stays: tests set it to a cache with the libraries that all projects use.
    """
    bytecode = ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")
    ours = ("VIRTUAL_ENV", "FUZZ_", "MAKE", "MFLAGS", "RUFF_", "HYPOTHESIS_", *bytecode)
    variables = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    if uv := os.environ.get("UV"):  # set by `uv run`: its own path
        variables["PATH"] = f"{Path(uv).parent}{os.pathsep}{variables['PATH']}"
    return variables


def run(project: Path, *command: str) -> None:
    """Run a command of the project and show its output."""
    console.print(f"[bold]$ {' '.join(command)}")
    code = subprocess.run(command, cwd=project, env=environment(), check=False).returncode
    if code:
        message = f"`{' '.join(command)}` in {project} ended with exit code {code}; see above."
        raise DemoError(message)


def commit(project: Path) -> None:
    """Commit the project, for `ml checklist` requires that a model is of a commit."""
    author = ("-c", "user.name=demo", "-c", "user.email=demo@example.com")
    for words in (("add", "."), ("commit", "--quiet", "--message", "Start the project")):
        run(project, "git", *author, *words)


def free_port() -> int:
    """Return a free loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(url: str, body: object = None) -> Any:
    """Get a JSON document, or post one and return the answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def wait_until_ready(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Wait until /readyz answers; raise DemoError if the server ends or takes too long."""
    deadline = time.monotonic() + SECONDS_TO_READY
    while server.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=2):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    state = "ended" if server.poll() is not None else f"was not ready in {SECONDS_TO_READY} s"
    raise DemoError(f"The server {state}. Its log:\n{log.read_text(encoding='utf-8')}")


@contextmanager
def serving(project: Path) -> Iterator[str]:
    """Serve the project's champion, yield the address, and stop the server in the end."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "server.log")
        with log.open("wb") as output:
            server = subprocess.Popen(
                ["uv", "run", "ml", "serve", "--port", str(port)],
                cwd=project,
                env=environment() | {"SERVE_KEYS": "off"},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            wait_until_ready(server, url, log)
            yield url
        finally:
            stop(server)


def stop(server: subprocess.Popen[bytes]) -> None:
    """Stop the server and its child processes."""
    try:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=10)
    except ProcessLookupError:
        server.wait()
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def ask(url: str) -> tuple[Any, Any]:
    """Send the first example of the server's OpenAPI document; return it and the answer."""
    operation = get(f"{url}/openapi.json")["paths"]["/v1/predict"]["post"]
    examples = operation["requestBody"]["content"]["application/json"]["examples"]
    example = next(iter(examples.values()))["value"]
    return example, get(f"{url}/v1/predict", example)


def show(project: Path, seconds: dict[str, float]) -> None:
    """Print the scores, the champion, the time of each stage, and what to try next."""
    report = json.loads((project / "reports" / "pipeline.json").read_text())
    scores = Table("metric", "model", "baseline", "no model", title="On the test rows")
    for score in report["scores"]:
        model = f"{score['model']:,.3f} ± {score['spread']:,.3f}"
        others = (f"{score[column]:,.3f}" for column in ("baseline", "naive"))
        scores.add_row(score["label"], model, *others)
    times = Table("stage", "seconds", title="Time")
    for stage, taken in seconds.items():
        times.add_row(stage, f"{taken:.1f}")
        if stage == "pipeline":
            for part, part_taken in report["stages"].items():
                times.add_row(f"  {part}", f"{part_taken:.1f}")
            rest = taken - sum(report["stages"].values())
            times.add_row("  start, MLflow database", f"{rest:.1f}")
    times.add_row("total", f"{sum(seconds.values()):.1f}", style="bold")
    console.print(scores, times)
    console.print(f"Champion: version {report['champion']['version']}")
    console.print(f"The project is in {os.path.relpath(project)}. Try next:")
    console.print(f"  cd {os.path.relpath(project)}")
    console.print("  make install         # downloads uv if you have none")
    console.print("  make serve           # then open http://127.0.0.1:8000")
    console.print("  uv run ml checklist  # the ML Test Score; takes minutes")
    console.print("  make check test      # style, types, tests")


def demo(use_case: str, installed: Path | None) -> None:
    """Run every step and measure its time."""
    seconds: dict[str, float] = {}

    @contextmanager
    def step(name: str) -> Iterator[None]:
        console.rule(name)
        start = time.perf_counter()
        yield
        seconds[name] = time.perf_counter() - start

    if installed:
        project = installed
    else:
        with step("generate"):
            project = generate(use_case)
        with step("install"):
            run(project, "make", "install")
        commit(project)
    with step("pipeline"):
        run(project, "make", "pipeline")
    with step("serve"), serving(project) as url:
        request, answer = ask(url)
        console.print("request", json.dumps(request)[:600])
        console.print_json(data=answer)
    console.rule("done")
    show(project, seconds)


def main() -> int:
    """Run the demo; print one sentence if a step fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--use-case", default="tabular")
    parser.add_argument("--project", type=Path, help="an installed project to use")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end like Ctrl-C: stop the server
    try:
        demo(arguments.use_case, arguments.project)
    except DemoError as error:
        console.print(f"[red]{error}", highlight=False)
        return 1
    except KeyboardInterrupt:
        console.print("Stopped.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
