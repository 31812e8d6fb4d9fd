"""simulate: send days of traffic to a running server, with labels that arrive late.

The same seed gives the same stream. It can be stopped and continued: simulation.json says which
days were sent, how they were changed, and of which of them the labels were sent too.
"""

from time import monotonic, sleep
from typing import Any

import httpx2
import numpy as np
import polars as pl
from pydantic import ValidationError

from ..contract.simulation import Json, Simulation
from ..errors import UserError, require_known
from ..frozen import Frozen
from ..lifecycle.project import Project
from ..lifecycle.workspace import replace_text
from .retrain import owner

STATE = "simulation.json"


class Day(Frozen):
    """A day of traffic, and how far it was sent."""

    damage: str = ""
    strength: float = 1
    sent: int = 0
    ids: tuple[str, ...] = ()
    """Of its predictions, for labels that name them."""


class State(Frozen):
    """The days that were sent after a data set, the first one first."""

    data: str
    days: tuple[Day, ...] = ()
    labelled: int = 0
    """Of how many days the labels were sent."""


class Stream:
    """Sends traffic to a server, a day at a time."""

    def __init__(self, project: Project, client: httpx2.Client) -> None:
        """Continue the stream of a project; the client knows the server's address and key."""
        if project.training.simulation is None:
            raise UserError("This use case has no simulated traffic.")
        self.simulation: Simulation = project.training.simulation
        self.project = project
        self.client = client
        self.path = project.workspace.root / STATE
        self.state = self._read()
        self.dataset = project.workspace.dataset(self.state.data)
        self.named = project.champion_task().label is not None

    def send(self, damage: str = "") -> int:
        """Send a day: the labels that are due, then instances; return how many instances.

        A day of which a part was sent before is finished first, as it was begun.
        """
        if damage:
            require_known("The damage", [damage], "a damage", self.simulation.damages)
        if self.state.days and not self.state.days[-1].sent:
            self._save(days=self.state.days[:-1])
        if not self.state.days or not self._unsent():
            self.begin(damage)
        while self.state.labelled < len(self.state.days) - self.simulation.label_days:
            self._send_known(self.state.labelled)
        instances = self._unsent()
        start = monotonic()
        for first in range(0, len(instances), self.simulation.body):
            body = instances[first : first + self.simulation.body]
            if rate := self.project.params.simulate.rate:
                sleep(max(0, start + first / rate - monotonic()))
            answer = self._post("/v1/predict", {"instances": body})
            day = self.state.days[-1]
            ids = (*day.ids, *answer["prediction_ids"]) if self.named else ()
            day = day.model_copy(update={"sent": day.sent + len(body), "ids": ids})
            self._save(days=(*self.state.days[:-1], day))
        return len(instances)

    def begin(self, damage: str = "") -> None:
        """Begin the next day, of which nothing is sent yet."""
        strength = self.project.params.simulate.strength
        self._save(days=(*self.state.days, Day(damage=damage, strength=strength)))

    def rows(self, number: int) -> pl.DataFrame:
        """Return the raw rows of a day that was begun, with their labels."""
        rows = self.simulation.day(self.dataset.path, number)
        day = self.state.days[number]
        if not day.damage:
            return rows
        random = np.random.default_rng((self.project.params.seed, number))
        return self.simulation.damages[day.damage](rows, day.strength, random)

    def write_source(self, first: int) -> tuple[str, ...]:
        """Write the days from the first on whose labels were sent, or all: see `Simulation`."""
        file = self.project.workspace.root / "simulated.parquet"
        since = 0 if self.simulation.looks_back else first
        rows = pl.concat(self.rows(number) for number in range(since, self.state.labelled))
        return self.simulation.write_source(self.dataset.path, rows, file)

    def _unsent(self) -> list[Json]:
        """Return the instances of the newest day that are not sent yet."""
        instances = self.simulation.requests(self.rows(len(self.state.days) - 1))
        return instances[self.state.days[-1].sent :]

    def _send_known(self, number: int) -> None:
        rows = self.rows(number)
        events = self.simulation.events(rows) if self.simulation.events else []
        labels = self.simulation.labels(rows) if self.simulation.labels else []
        if self.named:
            pairs = zip(self.state.days[number].ids, labels, strict=True)
            labels = [{"prediction_id": one, "label": label} for one, label in pairs]
        for name, values in (("events", events), ("labels", labels)):
            for first in range(0, len(values), self.simulation.body):
                self._post(f"/v1/{name}", {name: values[first : first + self.simulation.body]})
        self._save(labelled=number + 1)

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = self.client.post(path, json=body)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            address = self.client.base_url
            raise UserError(
                f"No server answers at {address}: {error!r}. Run `ml serve`."
            ) from error
        if not answer.is_success:
            key = " Set CLIENT_KEY." if answer.status_code in (401, 403) else ""
            raise UserError(f"The server answers {answer.status_code}: {answer.text[:500]}{key}")
        found: dict[str, Any] = answer.json()
        return found

    def _read(self) -> State:
        if not self.path.exists():
            return State(data=self.project.workspace.dataset().digest)
        try:
            return State.model_validate_json(self.path.read_text("utf-8"))
        except ValidationError:
            raise UserError(f"{self.path} is damaged: delete it to begin another stream.") from None

    def _save(self, **changes: Any) -> None:
        self.state = self.state.model_copy(update=changes)
        replace_text(self.path, self.state.model_dump_json())


def simulate(project: Project, days: int, damage: str = "") -> None:
    """Send days of traffic to the server at simulate.url, with labels when they are due."""
    key = project.settings.client_key.get_secret_value()
    headers = {"X-API-Key": key} if key else {}
    with (
        owner(project.workspace.root / ".simulate.lock", "simulation"),
        httpx2.Client(base_url=project.params.simulate.url, headers=headers, timeout=60) as client,
        project.console.step("simulate") as progress,
    ):
        stream = Stream(project, client)
        for number in range(1, days + 1):
            sent = stream.send(damage)
            progress(number / days)
            kind = stream.state.days[-1].damage or "no damage"
            project.console.print(f"day {len(stream.state.days)}, {kind}: {sent:,} instances")
