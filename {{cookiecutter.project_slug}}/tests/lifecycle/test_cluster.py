"""Tasks in processes and on a Dask cluster: in order, repeated when a process is killed."""

import signal
import socket
import ssl
import time
from pathlib import Path

import pytest
from dask_nodes import DaskNodes, run_nodes, write_certificates
from machine import run_python
from tasks import Square, fail, fail_strangely, later, square, threads, wait

from project_package.contract.training import Run
from project_package.errors import Unavailable, UserError
from project_package.lifecycle.cluster import open_cluster
from project_package.settings import Settings

pytestmark = pytest.mark.system  # the tests start processes


def squares(folder: Path, *killed: int, kills: int = 1) -> list[Square]:
    return [Square(number, folder, kills * (number in killed)) for number in range(8)]


def test_results_are_in_the_order_of_the_tasks(run: Run, tmp_path: Path) -> None:
    assert [*run(square, squares(tmp_path))] == [number**2 for number in range(8)]


def test_result_may_be_a_function_of_a_function(run: Run, tmp_path: Path) -> None:
    assert [function() for function in run(later, squares(tmp_path))][3] == 9


def test_task_of_a_killed_process_is_repeated(run: Run, tmp_path: Path) -> None:
    assert [*run(square, squares(tmp_path, 2, 5))] == [number**2 for number in range(8)]
    assert len([*tmp_path.iterdir()]) == 2


def test_task_that_always_kills_its_process_is_named(run: Run, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^square of 5: (the process|4 workers)"):
        list(run(square, squares(tmp_path, 5, kills=99)))
    assert [*run(square, squares(tmp_path))][-1] == 49


def test_error_names_the_task(run: Run, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        list(run(fail, squares(tmp_path)))
    assert raised.value.__notes__ == ["This happened in the task: square of 0."]


def test_each_process_has_one_thread(run: Run, tmp_path: Path) -> None:
    assert {*run(threads, squares(tmp_path))} == {1}


def test_error_that_cannot_be_sent_is_named(tmp_path: Path) -> None:
    with open_cluster(Settings(processes=2)) as runs, pytest.raises(RuntimeError) as raised:
        list(runs(True)(fail_strangely, squares(tmp_path)))
    assert str(raised.value) == "StrangeError: strange 0"


def test_address_without_encryption_is_refused() -> None:
    with pytest.raises(ValueError, match="cluster"):
        Settings(cluster="tcp://127.0.0.1:8786")


def is_running(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text(encoding="utf-8")


def test_processes_end_with_a_killed_parent(tmp_path: Path) -> None:
    code = """if __name__ == "__main__":
        import sys
        from pathlib import Path
        from tasks import Square, end_parent
        from project_package.lifecycle.cluster import Processes
        list(Processes(2).run(end_parent, [Square(n, Path(sys.argv[1])) for n in range(2)]))
    """
    assert run_python(code, tmp_path).returncode == -signal.SIGKILL
    started = [int(path.name) for path in tmp_path.iterdir()]
    assert started
    deadline = time.monotonic() + 30
    while left := [pid for pid in started if is_running(pid)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def test_cluster_without_workers_is_an_error(tmp_path: Path) -> None:
    with (
        run_nodes(tmp_path, workers=0) as nodes,
        pytest.raises(Unavailable, match="has no workers"),
        open_cluster(nodes.settings),
    ):
        pass


def test_certificate_of_another_authority_is_refused(dask: DaskNodes, tmp_path: Path) -> None:
    write_certificates(tmp_path)
    other = {"cluster_cert": f"{tmp_path}/cert.pem", "cluster_key": f"{tmp_path}/key.pem"}
    with (
        pytest.raises(Unavailable, match="does not answer"),
        open_cluster(dask.settings.model_copy(update=other)),
    ):
        pass


def test_connection_without_a_certificate_is_refused(dask: DaskNodes) -> None:
    context = ssl.create_default_context(cafile=dask.settings.cluster_ca)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # the default of Python 3.13
    host, port = dask.settings.cluster.removeprefix("tls://").split(":")
    with socket.create_connection((host, int(port))) as raw, context.wrap_socket(raw) as secure:
        assert not answer_of(secure)


def answer_of(connection: socket.socket) -> bytes:
    """Return the first byte that a server sends; none when it refuses the connection."""
    try:
        connection.sendall(b"hello")
        return connection.recv(1)
    except OSError:  # the alert of TLS, or a connection that was reset
        return b""


def test_missing_certificates_are_named(dask: DaskNodes) -> None:
    settings = dask.settings.model_copy(update={"cluster_key": "", "cluster_ca": "no.pem"})
    with pytest.raises(UserError, match=r'there is no file no.pem, "".$'), open_cluster(settings):
        pass


def test_lost_scheduler_is_one_sentence(tmp_path: Path) -> None:
    lost = pytest.raises(Unavailable, match="is lost: run the command again")
    with run_nodes(tmp_path) as nodes, lost, open_cluster(nodes.settings) as runs:
        results = iter(runs(True)(wait, squares(tmp_path)))
        assert next(results) == 0
        nodes.scheduler.kill()
        list(results)
