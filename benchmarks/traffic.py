"""What the benchmark of the server sends to a fraud project, and how its servers are started."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from load import Load, Served, send, served

MANY = 1_000
NOW = "2018-09-30T23:59:59Z"
STATELESS = "history in the request"
STORED = "event store"
SKEWED = "event store, skewed"
BODIES = f"bodies of {MANY:,}"
EVENTS = 200_000
"""In the skewed event store: they fall into the 30 days before `NOW`."""
CARDS = 5_000
TERMINALS = 10_000
CONNECTIONS = (16, 64, 256, 512)
SCOPES = ("--scope", "predict", "--scope", "labels")
"""Of the key of a project."""
REQUESTS = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer %(key)s"
local n = 0
%(draw)s
function payment()
  n = n + 1
  return string.format('{"transaction": {"transaction_id": "%(name)s%%d", "timestamp": "%(now)s", '
    .. '"customer_id": "C%%07d", "terminal_id": "T%%07d", "amount": %%d.5}%(history)s}',
    n, draw(%(cards)d, 7919), draw(%(terminals)d, 104729), n %% 200)
end
function request()
  local payments = {}
  for index = 1, %(count)d do payments[index] = payment() end
  return wrk.format(nil, nil, nil, '{"instances": [' .. table.concat(payments, ",") .. ']}')
end
"""
UNIFORM = "function draw(count, prime) return n * prime % count end"
ZIPF = "function draw(count) return math.floor(count ^ math.random()) - 1 end"


@dataclass(frozen=True)
class Servers:
    """Servers of one project, with different event stores."""

    usual: Served
    skewed: Served


@dataclass(frozen=True)
class Project:
    """A project with a champion and events, and what runs its server."""

    folder: Path
    key: str

    def script(self, name: str, count: int = 1, stored: bool = False, draw: str = UNIFORM) -> str:
        """Return requests of `count` payments each, whose ids begin with `name`."""
        history = "" if stored else ', "history": []'
        values = {"key": self.key, "name": name, "now": NOW, "history": history, "count": count}
        return REQUESTS % (values | {"draw": draw, "cards": CARDS, "terminals": TERMINALS})

    @contextmanager
    def serve_both(self) -> Iterator[Servers]:
        """Start a server with its event store, and one with an event store of skewed events."""
        with self.serve() as usual, self.serve(STATE_URL="skewed.db") as skewed:
            self.fill(skewed)
            yield Servers(usual, skewed)

    @contextmanager
    def serve(self, **env: str) -> Iterator[Served]:
        """Start its server."""
        command = [str(self.folder / ".venv/bin/ml"), "serve", "--quiet", "--port", "PORT"]
        limits = {"SERVE_MAX_BODY_MB": "8"}
        with served(command, self.folder, limits | env, "/readyz") as server:
            yield server

    def fill(self, server: Served) -> None:
        """Store events of skewed cards and terminals."""
        random = np.random.default_rng(0)
        ranks = {
            n: np.floor(n ** random.random(EVENTS)).astype(int) - 1 for n in (CARDS, TERMINALS)
        }
        now = datetime.fromisoformat(NOW)
        for start in range(0, EVENTS, 10_000):
            events = [
                {
                    "transaction_id": f"Z{n}",
                    "timestamp": (now - timedelta(days=30 * (1 - n / EVENTS))).isoformat(),
                    "customer_id": f"C{ranks[CARDS][n]:07d}",
                    "terminal_id": f"T{ranks[TERMINALS][n]:07d}",
                    "amount": 50.0,
                }
                for n in range(start, start + 10_000)
            ]
            body = json.dumps({"events": events}).encode()
            headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
            request = urllib.request.Request(f"{server.url}/v1/events", body, headers)  # noqa: S310
            with urllib.request.urlopen(request, timeout=60):  # noqa: S310
                pass

    def measure(self, servers: Servers, turn: int, before: str = "") -> dict[str, Load]:
        """Send each kind of request for some seconds."""
        kinds = {
            STATELESS: (self.script(f"S{turn}-"), 16),
            STORED: (self.script(f"L{turn}-", stored=True), 16),
            BODIES: (self.script(f"M{turn}-", MANY), 4),
        }
        loads = {
            before + name: send(servers.usual, "/v1/predict", script, connections)
            for name, (script, connections) in kinds.items()
        }
        script = self.script(f"Z{turn}-", stored=True, draw=ZIPF)
        return loads | {before + SKEWED: send(servers.skewed, "/v1/predict", script)}

    def overload(self, server: Served, turn: int) -> dict[str, dict[int, Load]]:
        """Send requests over more and more connections."""
        return {
            name: {
                count: send(
                    server,
                    "/v1/predict",
                    self.script(f"O{name[0]}{turn}-{count}-", stored=name == STORED),
                    count,
                    refusals=True,
                )
                for count in CONNECTIONS
            }
            for name in (STATELESS, STORED)
        }
