"""Small wheels written by hand, and a package index on this machine that serves them, or fails as it is told."""

import base64
import hashlib
import http.server
import ssl
import subprocess
import threading
import time
import zipfile
from pathlib import Path


def make_wheel(folder, name, version, size=0, requires=()):
    """Write the wheel of a package with one module, `size` bytes larger than it need be; give its path."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    files = {
        f"{name}/__init__.py": f"version = {version!r}\n".encode(),
        f"{name}/ballast": hashlib.sha256(name.encode()).digest() * (size // 32),
        f"{info}/METADATA": (metadata + "".join(f"Requires-Dist: {each}\n" for each in requires)).encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={_digest(data)},{len(data)}\n" for path, data in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in files.items():
            archive.writestr(member, data)
    return path


def _digest(data):
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def damage(path):
    """Change a wheel's bytes in its middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 3 : len(data) // 3 + 400] = bytes(400)
    path.write_bytes(data)


def make_certificate(folder):
    """Write a certificate that nobody has signed, and its key, into one file; give its path."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=127.0.0.1",
    ]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    certificate.write_bytes(key.read_bytes() + certificate.read_bytes())
    return certificate


class Index:
    """A package index of the wheels in a folder, as pip's `--index-url`; with a certificate its connections are encrypted."""

    def __init__(self, folder: Path, certificate: Path | None = None) -> None:
        self.folder = folder
        self.served: list[str] = []  # names of the wheels that were sent to their end
        self.cut: set[str] = set()  # packages whose connection breaks in the middle
        self.wrong_hash: set[str] = set()
        self.slow: set[str] = set()  # packages that come at a crawl
        self.sending = threading.Event()  # half a slow one is out
        index = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                index.answer(self)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._scheme = "http"
        if certificate is not None:
            self._scheme = "https"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}/simple"

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request):
        parts = request.path.strip("/").split("/")
        if parts[0] == "simple":
            self._send(request, self._page(parts[1]).encode(), "text/html")
        else:
            self._send_wheel(request, self.folder / parts[-1])

    def _page(self, name):
        links = []
        for wheel in sorted(self.folder.glob(f"{name.replace('-', '_')}-*.whl")):
            digest = "0" * 64 if name in self.wrong_hash else hashlib.sha256(wheel.read_bytes()).hexdigest()
            links.append(f'<a href="/files/{wheel.name}#sha256={digest}">{wheel.name}</a>')
        return f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>"

    def _send(self, request, data, kind):
        request.send_response(200)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    def _send_wheel(self, request, wheel):
        name, data = wheel.name.split("-")[0], wheel.read_bytes()
        try:
            if name in self.cut:
                request.send_response(200)
                request.send_header("Content-Length", str(len(data)))
                request.end_headers()
                request.wfile.write(data[: len(data) // 2])
                request.connection.close()
                return
            if name in self.slow:
                self._crawl(request, data)
            else:
                self._send(request, data, "application/octet-stream")
            self.served.append(wheel.name)
        except OSError:  # pip is gone
            pass

    def _crawl(self, request, data):
        request.send_response(200)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data[: len(data) // 2])
        request.wfile.flush()
        self.sending.set()
        for start in range(len(data) // 2, len(data), 1000):
            time.sleep(0.05)
            request.wfile.write(data[start : start + 1000])
            request.wfile.flush()
