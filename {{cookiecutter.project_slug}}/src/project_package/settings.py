"""Addresses, secrets and limits: everything that comes from the environment or a .env file.

Requests per address and per API key are limited by the proxy in front: see deploy/nginx.conf.
"""

import re
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from .errors import UserError, suggest


class Settings(BaseSettings):
    """The variables that every project reads; `.env.example` lists all of this one."""

    model_config = SettingsConfigDict(env_file=".env", extra="allow", frozen=True)

    mlflow_tracking_uri: str = ""
    """MLflow server; empty means a SQLite file in the project."""
    optuna_storage: str = ""
    """Database of the search; empty means a SQLite file in the project."""
    model_store: str = ""
    """Folder, s3://, gs:// or az:// that champions are served from; empty means `store`."""
    data_url: SecretStr = SecretStr("")
    """postgresql:// or sqlite:// address for `data.source = "sql"`."""
    log_url: SecretStr = SecretStr("")
    """Prediction log: sqlite:///file, postgresql://... or `off`; empty means `predictions.db`."""
    log_key: SecretStr = SecretStr("")
    """Key of the hashes that replace identifiers in the log; empty means a file beside it."""
    log_rows: bool = False
    """Whether the rows that were predicted are logged too: they may be personal data."""
    log_days: float = Field(default=90, gt=0, le=36_500)
    """Days after which a logged prediction is deleted."""
    monitor_webhook: SecretStr = SecretStr("")
    """https:// address that `ml monitor` posts alarms to; empty means nowhere."""
    client_key: SecretStr = SecretStr("")
    """API key of `ml simulate` (scopes predict and labels) and of `monitor.metrics` (admin)."""
    cluster: str = Field(default="", pattern="^(tls://.+)?$")
    """tls:// address of a Dask scheduler that runs tasks; empty means this machine."""
    cluster_ca: str = ""
    """File with the certificate of the authority that signed those of the cluster."""
    cluster_cert: str = ""
    """File with the certificate of this client."""
    cluster_key: str = ""
    """File with the key of this client."""
    processes: int | None = Field(default=None, ge=1)
    """How many processes of this machine; unless set, one for each CPU."""
    serve_host: str = Field(default="127.0.0.1", min_length=1)
    serve_port: int = 8000
    serve_workers: int = Field(default=1, ge=1)
    """Processes that answer."""
    serve_poll_seconds: float = Field(default=2, gt=0, le=3600)
    """How often the server looks for other versions of the model and of the API keys."""
    serve_canary: float = Field(default=0, ge=0, le=1)
    """Share of entities that the challenger answers."""
    serve_keys: str = ""
    """File of API keys; empty means `keys.json`; with `off` no request needs one."""
    serve_max_body_mb: float | None = Field(default=None, gt=0, le=1024)
    """The largest body; unless set, that of the use case: `Task.max_body_mb`."""
    serve_max_in_flight: int = Field(default=256, ge=1)
    """Requests in flight; further ones are refused before their body is read."""
    serve_body_seconds: float = Field(default=10, gt=0, le=3600)
    """How long a body may take to arrive."""
    serve_answer_seconds: float = Field(default=30, gt=0, le=3600)
    """How long an answer may take after the body has arrived."""
    serve_cors_origins: str = ""
    """Origins, separated by commas, whose pages may call the server; empty means none."""

    @property
    def cors_origins(self) -> list[str]:
        """The origins whose pages may call the server."""
        return [origin.strip() for origin in self.serve_cors_origins.split(",") if origin.strip()]

    def tracking(self, root: Path) -> str:
        """Return the address of MLflow, absolute."""
        return self.mlflow_tracking_uri or f"sqlite:///{root.absolute() / 'mlflow.db'}"

    def studies(self, root: Path) -> str:
        """Return the address of the search database, absolute."""
        return self.optuna_storage or f"sqlite:///{root.absolute() / 'optuna.db'}"

    def store(self, root: Path) -> str:
        """Return the address of the model store; a folder is absolute."""
        address = self.model_store or "store"
        return address if "://" in address else str(root / Path(address).expanduser())

    def log(self, root: Path) -> tuple[str, Path]:
        """Return the address of the prediction log, and its file: `predictions.db` without one."""
        url = self.log_url.get_secret_value() or "sqlite:///predictions.db"
        is_file = url.startswith("sqlite:///")
        name = url.removeprefix("sqlite:///") if is_file else "predictions.db"
        return url, root.absolute() / name

    def keys(self, root: Path) -> Path | None:
        """Return the file of API keys, absolute; None when no request needs one."""
        if self.serve_keys.lower() == "off":
            return None
        return root.absolute() / Path(self.serve_keys or "keys.json").expanduser()


SettingsOf = TypeVar("SettingsOf", bound=Settings)


def read_settings(kind: type[SettingsOf]) -> SettingsOf:
    """Read settings from the environment and .env.

    Raises:
        UserError: a value is wrong, or a name in .env is misspelt.
    """
    try:
        settings = kind()
    except UnicodeDecodeError as error:
        raise UserError(f".env is not UTF-8: {error}; save it as UTF-8.") from error
    except ValidationError as error:  # of numbers: no address or secret is among these
        wrong = [f"{str(e['loc'][0]).upper()}={e['input']}: {e['msg']}" for e in error.errors()]
        raise UserError(f"{'; '.join(wrong)}. Correct it in the environment or in .env.") from None
    known = [name.upper() for name in kind.model_fields]
    for name in map(str.upper, settings.model_extra or ()):  # the other names in .env
        # MLflow reads MLFLOW_TRACKING_DIR, which has .895 in common with a setting.
        cutoff = 0.9 if name.startswith("MLFLOW_") else 0.84
        if name.startswith("SERVE_") or get_close_matches(name, known, cutoff=cutoff):
            raise UserError(f"{name} in .env is not a setting; {suggest(name, known)}")
    return settings


def redacted(text: str) -> str:
    """Return a text, such as an error, without the users and passwords of addresses in it.

    A password may contain / and @, so after a colon everything up to the last @ of a word is left
    out; without one, only what is before the first / can be a user.
    """
    return re.sub(r"(:/+)([^\s/]*:\S*|[^\s/]*)@", r"\1", text)
