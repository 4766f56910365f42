"""A mirror on this machine that misbehaves as told, with small files of its own."""

from __future__ import annotations

import gzip
import hashlib
import threading
import time
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from mnistlib.data import write_idx
from mnistlib.data.official import OFFICIAL_FILES, OfficialFile

QUICK = (1.0, 1.0)  # seconds to wait for a connection and for data


def write(folder, contents):
    """Write files, given as bytes by name, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)


def small_files(folder):
    """Write stand-ins for the official files; return their bytes and their records."""
    rng = np.random.default_rng(0)
    contents, files = {}, {}
    for key, official in OFFICIAL_FILES.items():
        shape = (50, 28, 28) if "images" in key else (50,)
        write_idx(folder / official.name, rng.integers(0, 10, shape).astype(np.uint8))
        content = (folder / official.name).read_bytes()
        contents[official.name] = content
        files[key] = OfficialFile(
            official.name,
            hashlib.sha256(content).hexdigest(),
            hashlib.sha256(gzip.decompress(content)).hexdigest(),
        )
    return contents, files


class Mirror(ThreadingHTTPServer):
    """Serves ``contents``, in the way that ``behaviour`` names."""

    daemon_threads = True

    def __init__(self, contents, behaviour):
        super().__init__(("127.0.0.1", 0), Handler)
        self.contents, self.behaviour = contents, behaviour
        self.requests = Counter()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.lstrip("/")
        content = self.server.contents[name]
        behaviour = self.server.behaviour
        self.server.requests[name] += 1
        if behaviour == "error":
            self.send_error(503)
            return
        if behaviour == "hang":
            time.sleep(30)
            return
        if behaviour == "wrong":
            content = bytes(len(content))
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if behaviour == "half":
            content = content[: len(content) // 2]
        if behaviour == "slow":
            self.wfile.write(content[: len(content) * 3 // 4])
            self.wfile.flush()
            time.sleep(30)
        self.wfile.write(content)

    def do_HEAD(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@contextmanager
def mirror(contents, behaviour="good"):
    server = Mirror(contents, behaviour)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
