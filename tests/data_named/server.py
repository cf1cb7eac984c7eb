"""A small file server for downloads: ranges, ETags, checksums beside archives, and faults on demand."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Site:
    """What the server has, and how it behaves.

    Attributes
    ----------
    files : archives by name; ``name.md5`` is made from them
    cut_after : for each of the next answers, bytes after which the connection drops
    etag : changes when "the file on the server changes"
    requests : (path, Range header or None) of every request
    """

    files: dict[str, bytes] = field(default_factory=dict)
    cut_after: list[int] = field(default_factory=list)
    etag: str = '"one"'
    md5: str | None = None
    ranges: bool = True
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""


@contextmanager
def serving(site: Site) -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            name, asked = self.path.rsplit("/", 1)[-1], self.headers.get("Range")
            site.requests.append((name, asked))
            if name.endswith(".md5") and name[:-4] in site.files:
                digest = site.md5 or hashlib.md5(site.files[name[:-4]]).hexdigest()
                self.answer(200, f"MD5 ({name[:-4]}) = {digest}\n".encode(), {})
            elif name not in site.files:
                self.answer(404, b"no such file", {})
            else:
                self.send_file(site.files[name], asked)

        def send_file(self, content: bytes, asked: str | None) -> None:
            start = 0
            if asked and site.ranges and self.headers.get("If-Range") == site.etag:
                start = int(asked.removeprefix("bytes=").removesuffix("-"))
                if start >= len(content):
                    return self.answer(416, b"", {})
            headers = {"ETag": site.etag}
            if start:
                headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.answer(
                206 if start else 200, content[start:], headers, site.cut_after.pop(0) if site.cut_after else None
            )

        def answer(self, status: int, body: bytes, headers: dict[str, str], cut: int | None = None) -> None:
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[:cut])

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_port}/movielens"
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
