"""The entry point of the use case: for `ml`, and for uvicorn.

Each side is imported when it is used: a server image holds no training library.
"""

from typing import TYPE_CHECKING

from ..cli import add_stage, run

if TYPE_CHECKING:
    from fastapi import FastAPI


def create_app() -> "FastAPI":
    """Create the application; uvicorn calls this in every process."""
    from ..serving.app import create_app
    from .task import make_task

    return create_app(make_task)


add_stage(
    "backfill", "backfill", "Store recent events of the data set, so that the server has a history."
)


def main() -> None:
    """Run `ml`."""
    run(f"{__package__}.training:TRAINING", f"{__package__}.__main__:create_app")


if __name__ == "__main__":
    main()
