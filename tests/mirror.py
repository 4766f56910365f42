"""A mirror on this machine that misbehaves as told, with small files of its own."""

import gzip
import hashlib
import threading
import time
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, repeat

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
        sums = (hashlib.sha256(each).hexdigest() for each in (content, gzip.decompress(content)))
        files[key] = OfficialFile(official.name, len(content), *sums)
    return contents, files


def answer(behaviour, content):
    """Return the pieces of an answer, and numbers where it waits so many seconds.

    In HTTP/1.0, it ends with the connection.
    """
    start = b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n" % len(content)
    dripped = [(bytes([byte]), 0.1) for byte in content[:100]]
    status = b"HTTP/1.0 %b Status\r\n\r\n" % behaviour.encode()  # a redirect goes nowhere
    return {
        "good": [start, b"\r\n", content],
        "labelled": [start, b"Content-Encoding: gzip\r\n\r\n", content],
        "wrong": [start, b"\r\n", bytes(len(content))],
        "half": [start, b"\r\n", content[: len(content) // 2]],
        "stop": [start, b"\r\n", content[: len(content) * 3 // 4], 30],
        "drip": [start, b"\r\n", *chain(*dripped)],
        "endless": chain([b"HTTP/1.0 200 OK\r\n\r\n"], repeat(content)),
        "hang": [30],
        "garbage": [b"what?\r\n\r\n"],
    }.get(behaviour, [status])


@contextmanager
def mirror(contents, behaviour="good"):
    """Serve ``contents``; the server counts the requests, by name, and the bytes it sent."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.lstrip("/")
            server.requests[name] += 1
            for piece in answer(behaviour, contents[name]):
                if isinstance(piece, bytes):
                    self.wfile.write(piece)
                    server.num_bytes += len(piece)
                else:
                    time.sleep(piece)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.handle_error = lambda *_: None  # a client may hang up
        server.url = f"http://127.0.0.1:{server.server_port}/"
        server.requests, server.num_bytes = Counter(), 0
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
