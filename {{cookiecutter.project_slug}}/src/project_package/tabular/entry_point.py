"""The entry point: `ml` with the command `schema`, and the application that uvicorn serves."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..cli import EntryPoint
from ..commands import app
from ..errors import UserError

if TYPE_CHECKING:
    from ..data.table_schema import Role


ENTRY = EntryPoint(__package__)
create_app = ENTRY.create_app
main = ENTRY.main


def column(help_: str) -> Any:
    """Return an option that takes the name of a column."""
    return typer.Option(metavar="COLUMN", help=help_, show_default=False)


@app.command(epilog="Example: `ml schema customers.csv --target churned --time month`")
def schema(  # noqa: PLR0913, PLR0917  options
    source: Annotated[str, typer.Argument(help="A file, a pattern, or an SQL query.")],
    target: Annotated[str, column("What to predict.")],
    time: Annotated[str, column("Time of the row: the newest rows are the test.")] = "",
    group: Annotated[str, column("Rows with the same value stay together.")] = "",
    id_: Annotated[str, typer.Option("--id", metavar="COLUMN", help="Identifies a row.")] = "",
    outcome: Annotated[list[str] | None, column("Known only after the target.")] = None,
    category: Annotated[list[str] | None, column("Numbers that are codes.")] = None,
    task: Annotated[
        Literal["classification", "regression"] | None, typer.Option(help="[default: by values]")
    ] = None,
    merge_rare: Annotated[int, typer.Option(min=0, help="Classes with fewer rows become one.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace schema.toml.")] = False,
) -> None:
    """Look at a table of your own and write schema.toml; the second time, print what differs."""
    from ..lifecycle.console import Console
    from ..lifecycle.workspace import replace_text
    from .schema_file import SchemaOptions, propose

    roles: dict[str, Role] = dict.fromkeys(outcome or (), "outcome")
    named = [target, *roles, *filter(None, (time, group, id_))]
    if twice := [name for name in named if named.count(name) > 1]:
        raise UserError(f'ml schema: "{twice[0]}" can have one role only: name it once.')
    given: dict[str, Role] = {time: "time", group: "group", id_: "id"}
    roles |= {name: role for name, role in given.items() if name}
    classes = dict.fromkeys(category or (), True)
    if task:
        classes[target] = task == "classification"
    console = Console()
    options = SchemaOptions(source, target, roles, classes, merge_rare)
    for line in propose(Path.cwd(), options, overwrite, replace_text):
        console.print(line)


if __name__ == "__main__":
    main()
