"""`coterie serve`: a process that answers over the network until it is interrupted."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import coterie as ct
from tests.cli.conftest import Run


def post(address: str, path: str, body: Any) -> Any:
    request = Request(f"{address}{path}", json.dumps(body).encode(), {"content-type": "application/json"})
    with urlopen(request, timeout=60) as reply:
        return json.load(reply)


def test_it_answers_until_ctrl_c(movies: Path, tmp_path: Path) -> None:
    ds = ct.load(movies)
    model = ct.ItemKNN(n_neighbors=7).fit(ds.interactions, ds.catalog)
    model.save(tmp_path / "model")
    command = [sys.executable, "-m", "coterie", "serve", "--model", str(tmp_path / "model"), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as service:
        try:
            assert service.stdout is not None
            line = service.stdout.readline()
            assert line.startswith("item-knn (n_neighbors=7) answers at http://127.0.0.1:")
            address = line.split()[4]
            found = post(address, "/recommend", {"user": 1, "k": 3, "constraints": {"years": [1990, 2010]}})
            expected = model.recommend([1], 3, candidates=ct.Constraints(years=(1990, 2010)))
            assert [row["item"] for row in found["recommendations"]] == expected["item"].to_list()
        finally:
            service.send_signal(signal.SIGINT)
            _, errors = service.communicate(timeout=60)
    assert service.returncode == 130
    assert not errors


def test_with_json_the_first_document_is_its_address(movies: Path) -> None:
    command = [sys.executable, "-m", "coterie", "serve", "-m", "popularity", "-d", str(movies), "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as service:
        try:
            assert service.stdout is not None
            lines = ""
            while not lines.endswith("\n}\n"):
                lines += service.stdout.readline()
            about = json.loads(lines)
            with urlopen(about["address"], timeout=60) as reply:
                assert json.load(reply)["fitted_to"] == about["fitted_to"]
        finally:
            service.send_signal(signal.SIGTERM)
            service.communicate(timeout=60)


def test_a_port_that_is_taken(run: Run, movies: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = run("serve", "-m", "popularity", "-d", movies, "--port", str(port))
    assert answer.status == 2
    assert f"cannot listen on 127.0.0.1, port {port}" in answer.err


def test_without_the_packages_nothing_is_fitted(run: Run, movies: Path, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "fastapi", None)
    answer = run("serve", "-m", "popularity", "-d", movies)
    assert answer.status == 1
    assert "[server]" in answer.err
