"""The entry point: `ml` with the commands `ask` and `mcp`, and the application for uvicorn."""

from typing import Annotated

import typer
from pydantic import ValidationError

from ..cli import EntryPoint
from ..commands import app
from ..errors import UserError

ENTRY = EntryPoint(__package__)
create_app = ENTRY.create_app
main = ENTRY.main


@app.command(epilog='Example: `ml ask "May I put up a fence?"`')
def ask(
    context: typer.Context,
    question: Annotated[str, typer.Argument(help="The question, in quotation marks.")],
) -> None:
    """Answer a question with the champion, and show where the answer is from."""
    from .answer_lines import answer_lines
    from .schemas import LONGEST, SupportRequest
    from .task import to_responses, to_rows

    try:
        rows = to_rows([SupportRequest(question=question)])
    except ValidationError as error:
        raise UserError(f"A question has words, and at most {LONGEST:,} characters.") from error
    with context.obj.open_project() as project:
        predictions = project.load(project.champion()).predict(rows)
        (response,) = to_responses(rows, predictions)
        for line in answer_lines(response):
            project.console.print(line)


@app.command(epilog="Example: `ml mcp --customer C-1`")
def mcp(
    context: typer.Context,
    customer: Annotated[str, typer.Option(help="Whose orders and tickets the tools reach.")] = "",
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Serve HTTP on loopback; 0 is stdio.")
    ] = 0,
) -> None:
    """Serve the champion and the tools by the Model Context Protocol, for other assistants."""
    from .agent.mcp_server import run_server

    with context.obj.open_project() as project:
        run_server(project.load(project.champion()), customer, port)


if __name__ == "__main__":
    main()
