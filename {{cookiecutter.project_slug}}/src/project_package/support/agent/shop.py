"""The tools of the agent: orders and tickets of a customer, in a SQLite file.

A tool is a method of `Shop` with typed arguments, and its name in `READING`, or in `WRITING`: then
a person has to approve it. Language models read its docstring. What it returns is shown to the
customer, so it must not repeat an argument that was not found.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

SHOP = "shop.db"  # in the folder of the project or the server
LONGEST_WAIT = 5.0  # seconds for another process that writes
SUBJECT = 200  # characters of a ticket's subject
READING = ("look_up_order",)
WRITING = ("open_ticket",)
SIGN_IN = "Orders and tickets are those of a customer: sign in first."
SCHEMA = """
create table orders (number text primary key, customer text, goods text, state text);
create table tickets (
    number integer primary key, customer text, subject text, day text,
    unique (customer, subject, day)
);
insert into orders values
    ('A-1001', 'C-1', '40 square metres of clay roof tiles', 'delivered on 3 November 2026'),
    ('A-1002', 'C-1', 'a wood stove with its flue', 'sent, arrives on 4 December 2026'),
    ('A-1003', 'C-2', '12 fence panels of pressure-treated pine', 'not sent yet');
"""


@dataclass(frozen=True)
class Shop:
    """What a customer may see and do; an empty customer has not signed in."""

    path: Path
    customer: str

    def look_up_order(self, order: str) -> str:
        """Look up the goods and the state of an order by its number, such as A-1001."""
        if not self.customer:
            return SIGN_IN
        query = "select number, goods, state from orders where customer = ? and number = ?"
        with self._open() as connection:
            found = connection.execute(query, (self.customer, order.upper())).fetchone()
        if found is None:
            return "You have no such order."
        number, goods, state = found
        return f"Order {number}, {goods}: {state}."

    def open_ticket(self, subject: str) -> str:
        """Open a ticket with a subject, so that a person answers the customer."""
        if not self.customer:
            return SIGN_IN
        ticket = (self.customer, subject[:SUBJECT], datetime.now(UTC).date().isoformat())
        insert = "insert or ignore into tickets (customer, subject, day) values (?, ?, ?)"
        find = "select number from tickets where customer = ? and subject = ? and day = ?"
        with self._open() as connection:  # sent twice, it is one ticket
            connection.execute(insert, ticket)
            (number,) = connection.execute(find, ticket).fetchone()
        return f"Ticket {number} is open: a person will answer you."

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Open the file, which has the orders of a demo at first, in a transaction."""
        with closing(sqlite3.connect(self.path, timeout=LONGEST_WAIT)) as connection, connection:
            connection.execute("begin immediate")
            if not connection.execute("select 1 from sqlite_master").fetchone():
                for statement in SCHEMA.split(";\n"):
                    connection.execute(statement)
            yield connection
