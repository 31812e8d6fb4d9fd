"""The tools as a server of the Model Context Protocol, for assistants of other makers.

The customer is fixed when the server starts. A tool that writes asks the person behind the client
for an approval (elicitation); a client that cannot ask cannot call it.
"""

import asyncio
import socket
from pathlib import Path
from typing import Annotated

from mcp.server.mcpserver import Elicit, MCPServer, Resolve
from mcp_types import ToolAnnotations
from pydantic import BaseModel, Field

from ...contract.task import Model
from ...errors import UserError
from ..schemas import Question, SupportRequest, SupportResponse
from ..task import to_responses, to_rows
from .graph import DECLINED
from .shop import READING, SHOP, Shop

READS = ToolAnnotations(readOnlyHint=True)


class TicketApproval(BaseModel):
    """The answer of a person."""

    approve: bool = Field(description="whether the ticket may be opened")


def ask_person(subject: str) -> Elicit[TicketApproval]:
    """Ask a person whether a ticket may be opened."""
    return Elicit(f"May I open a ticket: {subject}?", TicketApproval)


def make_server(model: Model, shop: Shop) -> MCPServer:
    """Return the server, for the customer of the shop."""
    server: MCPServer = MCPServer("support", instructions="Search the documents before you answer.")

    @server.tool(annotations=READS)
    async def search_documents(question: Question) -> SupportResponse:
        """Search the documents for the answer to a question; each sentence names its passages."""
        rows = to_rows([SupportRequest(question=question, customer_id=shop.customer or None)])
        predictions = await asyncio.to_thread(model.predict, rows)
        (response,) = to_responses(rows, predictions)
        return response

    for name in READING:
        server.add_tool(getattr(shop, name), annotations=READS)

    @server.tool(annotations=ToolAnnotations(readOnlyHint=False, destructiveHint=False))
    def open_ticket(subject: str, approval: Annotated[TicketApproval, Resolve(ask_person)]) -> str:
        """Open a ticket with a subject, so that a person answers the customer."""
        return shop.open_ticket(subject) if approval.approve else DECLINED

    return server


def run_server(model: Model, customer: str, port: int) -> None:
    """Serve a customer on a port of loopback, or on stdio for port 0.

    Raises:
        UserError: the port cannot be used.
    """
    server = make_server(model, Shop(Path(SHOP), customer))
    if port:
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError as error:  # with which uvicorn exits with 3: retrain
            raise UserError(f"Port {port}: {error.strerror}. Set another with --port.") from error
        server.run("streamable-http", port=port)
    else:
        server.run()
