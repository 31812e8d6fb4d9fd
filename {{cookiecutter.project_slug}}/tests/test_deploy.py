"""The proxy configuration is accepted by nginx and limits what reaches the server."""

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from machine import require

pytestmark = pytest.mark.system
CONFIGURATION = Path(__file__).parent.parent / "deploy" / "nginx.conf"
MEGABYTE = 2**20


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def serve(listening: socket.socket) -> None:
    """Answer 200 to whatever comes, until the socket is shut down."""
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        with connection:
            connection.recv(4 * MEGABYTE)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[int]:
    """Run nginx with the configuration in front of a server; return its port."""
    nginx = require("nginx", "nginx")
    port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=[server], daemon=True).start()
        text = CONFIGURATION.read_text(encoding="utf-8")
        text = text.replace("rate=100r/s", "rate=1r/m").replace("burst=200", "burst=2")
        text = text.replace("listen 8080", f"listen 127.0.0.1:{port}")
        text = text.replace("api:8000", f"127.0.0.1:{server.getsockname()[1]}")
        (tmp_path / "nginx.conf").write_text(text, encoding="utf-8")
        command = [nginx, "-p", str(tmp_path), "-c", "nginx.conf", "-g", "daemon off;"]
        with subprocess.Popen(command) as process:
            for _ in range(500):
                with socket.socket() as attempt:
                    if attempt.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.01)
            yield port
            process.terminate()
        server.shutdown(socket.SHUT_RDWR)


def status(port: int, head: bytes) -> int:
    """Send a request; return the status of the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        with suppress(OSError):  # refused before all of it was sent
            connection.sendall(head + b"\r\n")
        return int(connection.recv(100).split()[1])


def test_request_passes_the_proxy(proxy: int) -> None:
    assert status(proxy, b"GET /healthz HTTP/1.1\r\nHost: a\r\n") == 200


def test_proxy_refuses_large_heads(proxy: int) -> None:
    headers = b"".join(b"x-%d: %s\r\n" % (n, b"a" * 1000) for n in range(100))
    assert status(proxy, b"GET / HTTP/1.1\r\nHost: a\r\n" + headers) == 400
    assert status(proxy, b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n") == 414


def test_proxy_refuses_large_bodies(proxy: int) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n" % (9 * MEGABYTE)
    assert status(proxy, head) == 413


def test_proxy_limits_the_requests_of_a_key(proxy: int) -> None:
    head = b"GET / HTTP/1.1\r\nHost: a\r\n"
    keys = [b"X-API-Key: a\r\n", b"Authorization: Bearer b\r\n"]
    assert [status(proxy, head + keys[0]) for _ in range(4)] == [200, 200, 200, 429]
    assert [status(proxy, head + keys[1]) for _ in range(4)] == [200, 200, 200, 429]
    assert {status(proxy, head) for _ in range(5)} == {200}
    other = b"Authorization: Bearer %d\r\n"
    assert [status(proxy, head + keys[0] + other % n) for n in range(2)] == [429, 429]


def test_proxy_hides_the_metrics(proxy: int) -> None:
    assert status(proxy, b"GET /metrics HTTP/1.1\r\nHost: a\r\n") == 403
