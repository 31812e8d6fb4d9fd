"""Addresses and secrets: from the environment (or a .env file), in this one place."""

import re
from pathlib import Path

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from .errors import UserError


class Settings(BaseSettings):
    """Every variable the project reads; `.env.example` shows them all."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True)

    mlflow_tracking_uri: str = ""
    """MLflow server; empty means a SQLite file beside the project."""
    optuna_storage: str = ""
    """Database of the search; empty means a SQLite file beside the project."""
    model_store: str = ""
    """Folder, s3://, gs:// or az:// that champions are served from; empty means `store`."""
    data_url: SecretStr = SecretStr("")
    """postgresql:// or sqlite:// address for `data.source = "sql"`."""
    state_url: str = ""
    """SQLite file or redis:// address of what the server remembers; empty means `state.db`."""
    log_url: SecretStr = SecretStr("")
    """Where predictions are logged: sqlite:///file, postgresql://... or `off`; empty means
    `predictions.db` beside the project."""
    log_key: SecretStr = SecretStr("")
    """Of the hashes that stand in the log for names; empty means one made beside the log."""
    log_days: float = Field(default=90, gt=0)
    """How long a logged prediction is kept."""
    serve_host: str = ""
    """Empty means loopback, and every address in a container of Vertex AI."""
    serve_port: int = 8000
    serve_workers: int = Field(default=1, ge=1)
    """Processes that answer."""
    serve_follow_seconds: float = Field(default=2, gt=0)
    """How often the server looks for other versions, and for other API keys."""
    serve_canary: float = Field(default=0, ge=0, le=1)
    """Share of subjects that the challenger answers."""
    serve_keys: str = ""
    """File of API keys; empty means `keys.json` beside the project; `off` asks nobody for one."""
    serve_max_body_mb: float = Field(default=8, gt=0)
    """The largest body that is read."""
    serve_rate: float = Field(default=0, ge=0)
    """Requests a second that each key may make, in bursts of as many; 0 sets no limit."""
    serve_max_waiting: int = Field(default=256, ge=1)
    """Requests that may be at work at once; more are refused at once."""
    serve_body_seconds: float = Field(default=10, gt=0)
    """How long a body may take to arrive."""
    serve_answer_seconds: float = Field(default=30, gt=0)
    """How long an answer may take."""
    worker_socket: int = -1
    """A server of several processes sets it, and the file of its numbers, for each."""
    worker_board: str = ""
    aip_http_port: int = 0
    """Vertex AI sets it, and the two routes, in its containers."""
    aip_predict_route: str = ""
    aip_health_route: str = ""

    @property
    def host(self) -> str:
        """Where the server listens."""
        return self.serve_host or ("0.0.0.0" if self.aip_http_port else "127.0.0.1")  # noqa: S104

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self.aip_http_port or self.serve_port

    def tracking(self, root: Path) -> str:
        """Give the MLflow address, absolute."""
        return self.mlflow_tracking_uri or f"sqlite:///{root.absolute() / 'mlflow.db'}"

    def studies(self, root: Path) -> str:
        """Give the address of the search database, absolute."""
        return self.optuna_storage or f"sqlite:///{root.absolute() / 'optuna.db'}"

    def store(self, root: Path) -> str:
        """Give the address of the model store; a folder is absolute."""
        address = self.model_store or "store"
        return address if "://" in address else str(root / Path(address).expanduser())

    def state(self, root: Path) -> str:
        """Give the address of the server's state; a file is absolute.

        Raises:
            UserError: it is neither a file nor a redis.
        """
        address = self.state_url.removeprefix("sqlite:///") or "state.db"
        if address.startswith(("redis://", "rediss://")):
            return address
        if ":/" in address:
            raise UserError(
                f"STATE_URL={shown(address)} is none of redis://, rediss:// and sqlite:///file."
            )
        return str(root.absolute() / address)

    def keys(self, root: Path) -> Path | None:
        """Give the file of API keys, absolute; None when nobody is asked for one."""
        if self.serve_keys.lower() == "off":
            return None
        return root.absolute() / Path(self.serve_keys or "keys.json").expanduser()


def read() -> Settings:
    """Read the environment.

    Raises:
        UserError: a variable has a value that cannot be.
    """
    try:
        return Settings()
    except UnicodeDecodeError as error:
        raise UserError(f".env is not UTF-8: {error}. Write it again.") from error
    except ValidationError as error:  # of a number: no address or secret is among these
        found = [f"{str(e['loc'][0]).upper()}={e['input']}: {e['msg']}" for e in error.errors()]
        raise UserError(f"{'; '.join(found)}. Mend it in the environment or in .env.") from None


def shown(address: str) -> str:
    """Give an address as a message may show it: without user and password."""
    return re.sub(r"://[^/]*@", "://", address)
