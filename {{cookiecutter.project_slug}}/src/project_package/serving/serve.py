"""Run the application with uvicorn: one process, or several that share a socket."""

import logging.config
import os
import signal
import socket
import sys
import tempfile
from contextlib import suppress
from math import ceil
from pkgutil import resolve_name
from typing import Any

import uvicorn

from ..errors import UserError
from ..settings import Settings, read_settings
from .log_config import logging_config
from .prometheus import FOLDER


def serve(factory: str, host: str, port: int | None, workers: int | None, quiet: bool) -> None:
    """Serve the application of a factory, `module:function`, until interrupted.

    An empty host and None mean what the settings say; port 0 is a free one.

    Raises:
        UserError: the address cannot be used, or the application cannot be built.
    """
    settings = read_settings(Settings)
    workers = workers or settings.serve_workers
    options: dict[str, Any] = {
        "http": "h11",  # httptools has no limit on the size of request heads
        "ws": "none",
        "access_log": False,
        "server_header": False,
        "log_config": logging_config(quiet),
        "timeout_graceful_shutdown": ceil(settings.serve_answer_seconds),
    }
    logging.config.dictConfig(options["log_config"])
    with listen(host or settings.serve_host, settings.serve_port if port is None else port) as sock:
        app = resolve_name(factory)()  # first here: uvicorn restarts a worker that fails
        host, port = sock.getsockname()[:2]
        if not quiet:
            url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
            version = app.state.champion.current().version
            sys.stdout.write(f"Version {version} is served on {url} for browsers and programs.\n")
            sys.stdout.flush()
        if workers == 1:
            signal.signal(signal.SIGTERM, signal.default_int_handler)  # which exits with 0
            with suppress(KeyboardInterrupt):
                uvicorn.Server(uvicorn.Config(app, **options)).run(sockets=[sock])
            return
        with tempfile.TemporaryDirectory() as folder:
            os.environ[FOLDER] = folder
            uvicorn.run(factory, factory=True, workers=workers, fd=sock.fileno(), **options)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; raise UserError when it cannot."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise UserError(
            f"The server cannot listen on {host}, port {port}: {str(error).rstrip('.')}. Set "
            "another with --host and --port, or SERVE_HOST and SERVE_PORT."
        ) from error
