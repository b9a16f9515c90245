"""Memory of a session as a reader has it: `python scripts/measure_session.py`.

Starts JupyterLab on a copy of the notebooks and runs all cells of the explorer and of one chapter
in kernels of that server, which stay open, as the tabs of a browser do. The result, what the server
and each kernel hold at the end and the most that all held together, goes to
leakage/notebook/records/session.csv, which the book's status page shows. Binder counts the same.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import nbformat
import pandas as pd
import psutil
import websocket
from measure_chapters import PACKAGES, ROOT, memory_and_time, stamp

NOTEBOOKS = ("explorer", "encryption")
RECORDED = ROOT / "leakage" / "notebook" / "records" / "session.csv"


class Server:
    """A running JupyterLab."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.token = secrets.token_hex(16)
        self.address = f"127.0.0.1:{port}"
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}",
                   f"--IdentityProvider.token={self.token}", "--allow-root"]  # fmt: skip
        self.process = subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL)
        for _ in range(120):
            try:
                self.ask("api/status")
                return
            except URLError:
                time.sleep(0.5)
        raise SystemExit("JupyterLab did not start")

    def ask(self, path: str, content: dict | None = None) -> dict:
        """Answer of the server's interface to a question, or to something posted."""
        data = None if content is None else json.dumps(content).encode()
        request = Request(f"http://{self.address}/{path}", data)
        request.add_header("Authorization", f"token {self.token}")
        with urlopen(request) as answer:
            return json.load(answer)

    def run(self, notebook: Path) -> None:
        """Open a notebook and run all its cells; its kernel stays."""
        session = {"path": notebook.name, "name": notebook.name, "type": "notebook",
                   "kernel": {"name": "python3"}}  # fmt: skip
        kernel = self.ask("api/sessions", session)["kernel"]["id"]
        line = websocket.create_connection(
            f"ws://{self.address}/api/kernels/{kernel}/channels?token={self.token}", timeout=600
        )
        for cell in nbformat.read(notebook, as_version=4).cells:
            if cell.cell_type == "code" and _execute(line, cell.source) != "ok":
                raise SystemExit(f"a cell of {notebook.name} failed")


def _execute(line: websocket.WebSocket, code: str) -> str:
    """Run code in a kernel and wait; how it went."""
    header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "username": "reader",
              "session": uuid.uuid4().hex, "version": "5.4", "date": ""}  # fmt: skip
    content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
    line.send(json.dumps(message | {"channel": "shell", "buffers": []}))
    while True:
        answer = json.loads(line.recv())
        mine = answer["parent_header"].get("msg_id") == header["msg_id"]
        if mine and answer["msg_type"] == "execute_reply":
            return answer["content"]["status"]


def measured() -> pd.DataFrame:
    """Rows of the server, of each kernel and of their largest sum, in MiB."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "notebooks", folder, dirs_exist_ok=True)
        os.environ["LEAKAGE_CACHE"] = ""
        server = Server(Path(folder))
        process, done, most = psutil.Process(server.process.pid), threading.Event(), [0.0]

        def watch() -> None:
            while not done.wait(0.2):
                most[0] = max(
                    most[0], memory_and_time([process, *process.children(recursive=True)])[0]
                )

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            kernels = {}
            for name in NOTEBOOKS:
                before = set(process.children())
                server.run(Path(folder, f"{name}.ipynb"))
                kernels[name] = [p for p in process.children() if p not in before]
            rows = {"JupyterLab's server": memory_and_time([process])[0]}
            rows |= {f"kernel of {name}": memory_and_time(of)[0] for name, of in kernels.items()}
        finally:
            done.set()
            watcher.join()
            for child in process.children(recursive=True):
                child.kill()
            server.process.kill()
            server.process.wait()
    rows["most that all held together"] = most[0]
    return pd.DataFrame({"what": rows.keys(), "mib": [round(value, 1) for value in rows.values()]})


if __name__ == "__main__":
    table = measured()
    with RECORDED.open("w") as file:
        file.write(stamp("scripts/measure_session.py", [*PACKAGES, "jupyterlab"]))
        table.to_csv(file, index=False)
    print(table.to_string(index=False))
