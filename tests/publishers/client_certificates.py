"""Client certificates of an authority of the tests' own, and a server that asks for one."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from tests.conformance.certificates import authority_in

CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


def pem_of(key: Any, passphrase: bytes | None = None) -> str:
    sealed = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    pem: bytes = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed)
    return pem.decode()


class Authority:
    def __init__(self, name: str = "clients of the tests") -> None:
        self._name, self._key = name, ec.generate_private_key(ec.SECP256R1())
        self._certificate = self._made(name, self._key, (x509.BasicConstraints(True, None), True), 0, 10)

    @property
    def pem(self) -> str:
        return self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    def client(
        self, name: str, key: Any, *, from_days: int = -1, until_days: int = 1, usage: ObjectIdentifier | None = CLIENT
    ) -> str:
        """The certificate of a client with this key, in PEM."""
        extension = None if usage is None else (x509.ExtendedKeyUsage([usage]), False)
        made = self._made(name, key, extension, from_days, until_days)
        return made.public_bytes(serialization.Encoding.PEM).decode()

    def _made(
        self, name: str, key: Any, extension: tuple[Any, bool] | None, from_days: int, until_days: int
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self._name)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=from_days, minutes=-1))
            .not_valid_after(now + timedelta(days=until_days))
        )
        if extension is not None:
            builder = builder.add_extension(*extension)
        return builder.sign(self._key, hashes.SHA256())


def keys() -> dict[str, Any]:
    return {"ec": ec.generate_private_key(ec.SECP256R1()), "ed25519": ed25519.Ed25519PrivateKey.generate()}


class Asking(ThreadingHTTPServer):
    """`seen` are the names in the certificates of whoever posted, `connections` how many there were."""

    daemon_threads = True

    def __init__(self, folder: Path, clients: Authority) -> None:
        self.seen: list[str] = []
        self.connections = 0
        self.ca, certificate, key = authority_in(folder)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._context.load_verify_locations(cadata=clients.pem)
        self._context.verify_mode = ssl.CERT_REQUIRED
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"https://localhost:{self.server_address[1]}/hook"

    def finish_request(self, request: Any, client_address: Any) -> None:
        try:
            wrapped = self._context.wrap_socket(request, server_side=True)
        except OSError:
            return  # a client without a certificate that it trusts
        self.connections += 1
        with wrapped:
            super().finish_request(wrapped, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Asking
    connection: ssl.SSLSocket

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        shown: Any = self.connection.getpeercert()
        self.server.seen.append(shown["subject"][0][0][1])
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def asking(folder: Path, clients: Authority) -> Iterator[Asking]:
    serving = Asking(folder, clients)
    thread = threading.Thread(target=serving.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield serving
    finally:
        serving.shutdown()
        serving.server_close()
        thread.join()
