"""Storage of the clouds on this machine: what a server's environment is, and where its files are.

Amazon S3 is moto. Azure Blob Storage is Azurite, of Microsoft. Google Cloud Storage has two: MLflow
uses its JSON API, which gcp-storage-emulator has; the model store uses its XML API, which moto has,
since it is that of S3 with one header of another name.
"""

import base64
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from azure.storage.blob import BlobServiceClient
from conftest import TEMPLATE
from demo import free_port
from engine import tools_environment
from filelock import FileLock
from machine import listens, require, wait_for
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

AZURITE = "azurite@3.35"
SCOPE = "ada/20260101/us-east-1/s3/aws4_request"
SIGNED = {"Authorization": f"AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=host, Signature=x"}
"""What a client of S3 sends; moto does not verify signatures."""


@dataclass(frozen=True)
class Cloud:
    """A bucket of a cloud."""

    environment: Mapping[str, str]
    """Settings of its clients."""
    store: str
    """An address for the model store."""
    artifacts: str
    """An address for the files of MLflow."""


@contextmanager
def started(*command: str | Path, port: int, **environment: str) -> Iterator[None]:
    """Run a program that listens on a port."""
    process = subprocess.Popen(
        command,
        env={**tools_environment(), **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: process.poll() is not None or listens(port))
        assert process.poll() is None, f"{command} ended with {process.returncode}"
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


@contextmanager
def moto() -> Iterator[str]:
    """Serve the XML API of S3 and of Google, with the empty bucket `models`; yield its address."""
    inner = DomainDispatcherApplication(create_backend_app)

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        if environ.get("HTTP_X_GOOG_IF_GENERATION_MATCH") == "0":  # only if there is none
            environ["HTTP_IF_NONE_MATCH"] = "*"
        if not environ.get("HTTP_AUTHORIZATION", "").startswith("AWS4"):  # a client of Google
            environ["HTTP_AUTHORIZATION"] = SIGNED["Authorization"]
        return inner(environ, start_response)

    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    urlopen(Request(f"{address}/models", method="PUT", headers=SIGNED)).close()
    yield address
    urlopen(Request(f"{address}/moto-api/reset", method="POST")).close()  # it outlives servers
    server.shutdown()
    thread.join()


@contextmanager
def aws(_: Path) -> Iterator[Cloud]:
    """Start S3 with an empty bucket."""
    with moto() as address:
        environment = {
            "AWS_ACCESS_KEY_ID": "ada",
            "AWS_ALLOW_HTTP": "true",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": address,
            "AWS_SECRET_ACCESS_KEY": "lovelace",
        }
        yield Cloud(environment, "s3://models/shop", "s3://models/mlflow")


def install_azurite() -> Path:
    """Return the program, which npm installs once; it takes half a minute."""
    npm, folder = require("npm", "it installs Azurite"), TEMPLATE / "build" / "azurite"
    program = folder / "node_modules" / ".bin" / "azurite-blob"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not program.exists():
            options = ("--silent", "--no-audit", "--no-fund", f"--prefix={folder}")
            subprocess.run([npm, "install", *options, AZURITE], env=tools_environment(), check=True)
    return program


@contextmanager
def azure(folder: Path) -> Iterator[Cloud]:
    """Start Blob Storage with two empty containers."""
    port = free_port()
    key, address = base64.b64encode(b"lovelace").decode(), f"http://127.0.0.1:{port}/ada"
    options = (f"--blobPort={port}", f"--location={folder}", "--skipApiVersionCheck", "--silent")
    with started(install_azurite(), *options, port=port, AZURITE_ACCOUNTS=f"ada:{key}"):
        connection = f"AccountName=ada;AccountKey={key};BlobEndpoint={address};"
        client = BlobServiceClient.from_connection_string(connection)
        for name in ("models", "mlflow"):
            client.create_container(name)
        environment = {
            "AZURE_ALLOW_HTTP": "true",
            "AZURE_STORAGE_ACCOUNT_KEY": key,
            "AZURE_STORAGE_ACCOUNT_NAME": "ada",
            "AZURE_STORAGE_CONNECTION_STRING": connection,
            "AZURE_STORAGE_ENDPOINT": address,
        }
        yield Cloud(
            environment, "az://models/shop", "wasbs://mlflow@ada.blob.core.windows.net/files"
        )


@contextmanager
def gcp(_: Path) -> Iterator[Cloud]:
    """Start Cloud Storage with an empty bucket in each API."""
    program = Path(sys.executable).parent / "gcp-storage-emulator"
    options = ("--host=127.0.0.1", "--in-memory", "--default-bucket=models")
    with moto() as address:
        port = free_port()
        account = {"gcs_base_url": address, "disable_oauth": True}
        account |= dict.fromkeys(("client_email", "private_key", "private_key_id"), "")
        environment = {
            "GOOGLE_ALLOW_HTTP": "true",
            "GOOGLE_SERVICE_ACCOUNT_KEY": json.dumps(account),
            "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{port}",
        }
        with started(program, "start", f"--port={port}", *options, port=port):
            yield Cloud(environment, "gs://models/shop", "gs://models/mlflow")


EMULATORS: dict[str, Callable[[Path], AbstractContextManager[Cloud]]] = {
    "aws": aws,
    "azure": azure,
    "gcp": gcp,
}
