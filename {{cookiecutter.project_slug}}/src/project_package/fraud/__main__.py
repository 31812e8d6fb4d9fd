"""The entry point: the one place that knows the lifecycle, the server and the use case."""

from typing import Any

from ..lifecycle.cli import Entry, run


def use_case() -> Any:
    """Import the use case, with the training side."""
    from .training import USE_CASE

    return USE_CASE


def serve(host: str, port: int, workers: int, quiet: bool) -> None:
    """Import the server and serve."""
    from ..serving.app import serve as start
    from .task import API

    start(API, host, port, workers, quiet)


def main() -> None:
    """Run `ml`."""
    run(Entry(use_case, serve))


if __name__ == "__main__":
    main()
