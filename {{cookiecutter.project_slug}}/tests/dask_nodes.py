"""A Dask scheduler and two workers on this machine, with certificates of their own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from joblib import cpu_count

from project_package.contract.training import Run
from project_package.lifecycle.cluster import open_cluster
from project_package.settings import Settings

CLUSTER = {"cluster", "cluster_ca", "cluster_cert", "cluster_key"}
"""The settings of a cluster."""


def key_usage(authority: bool) -> x509.KeyUsage:
    """Return what the key of a certificate may do: sign those of others, or messages."""
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def write_certificates(folder: Path) -> None:
    """Write the certificate of an authority (ca.pem), and one that it signed with its key."""
    now = datetime.now(UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("authority", "node")
    ]
    for file, number in (("ca", 0), ("cert", 1)):
        builder = x509.CertificateBuilder(
            issuer_name=names[0],
            subject_name=names[number],
            public_key=keys[number].public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - timedelta(hours=1),
            not_valid_after=now + timedelta(days=1),
        )
        # Python 3.13 requires these.
        own, issuer = (keys[n].public_key() for n in (number, 0))
        extensions: tuple[tuple[x509.ExtensionType, bool], ...] = (
            (x509.BasicConstraints(ca=number == 0, path_length=None), True),
            (x509.SubjectKeyIdentifier.from_public_key(own), False),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer), False),
            (key_usage(number == 0), True),
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        certificate = builder.sign(keys[0], hashes.SHA256())
        (folder / f"{file}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        keys[1].private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


@dataclass(frozen=True)
class DaskNodes:
    """A running cluster."""

    settings: Settings
    scheduler: "subprocess.Popen[bytes]"


@contextmanager
def run_nodes(folder: Path, workers: int = 2) -> Iterator[DaskNodes]:
    """Run a scheduler and workers, each a process with one thread, until the block ends."""
    write_certificates(folder)
    file = folder / "scheduler.json"
    tls = ["--tls-ca-file", "ca.pem", "--tls-cert", "cert.pem", "--tls-key", "key.pem"]
    same = [*tls, "--scheduler-file", str(file), "--no-dashboard"]
    local = ["--protocol", "tls", "--host", "127.0.0.1"]
    # As many threads as in this process, since the sums of a network depend on it.
    threads = {f"{library}_NUM_THREADS": str(cpu_count()) for library in ("OMP", "MKL", "OPENBLAS")}
    environment = os.environ | threads | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with ExitStack() as stack:

        def start(name: str, *options: str) -> "subprocess.Popen[bytes]":
            command = [sys.executable, "-m", f"distributed.cli.dask_{name}", *same, *options]
            log = stack.enter_context((folder / f"{name}.log").open("ab"))
            process = subprocess.Popen(command, cwd=folder, env=environment, stderr=log)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            return process

        scheduler = start("scheduler", *local, "--port", "0")
        nodes = [start("worker", *local, "--nthreads", "1") for _ in range(workers)]
        while not file.exists() or not file.read_text():
            assert scheduler.poll() is None, (folder / "scheduler.log").read_text()
            time.sleep(0.1)
        log = folder / "worker.log"
        while workers and log.read_text().count("Registered to:") < workers:
            assert all(node.poll() is None for node in nodes), log.read_text()
            time.sleep(0.1)
        yield DaskNodes(
            Settings(
                cluster=json.loads(file.read_text())["address"],
                cluster_ca=str(folder / "ca.pem"),
                cluster_cert=str(folder / "cert.pem"),
                cluster_key=str(folder / "key.pem"),
            ),
            scheduler,
        )


@pytest.fixture(params=["processes", "cluster"])
def several(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the settings of two processes, or of a cluster of two workers."""
    if request.param == "processes":
        return {"processes": 2}
    settings: Settings = request.getfixturevalue("dask").settings
    return settings.model_dump(include=CLUSTER)


@pytest.fixture
def run(several: dict[str, Any]) -> Iterator[Run]:
    """Yield how to run tasks: in two processes, or on a cluster of two workers."""
    with open_cluster(Settings(**several)) as runs:
        yield runs(True)


@pytest.fixture(scope="session")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskNodes]:
    """Start a cluster for the tests that do not end its scheduler."""
    with run_nodes(tmp_path_factory.mktemp("dask")) as nodes:
        yield nodes
