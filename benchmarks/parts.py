"""The parts of a run: gateways, sandbox PSP and issuer, each a process of its own on a free loopback port."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from benchmarks.constants import ACCOUNT

ROOT = Path(__file__).parents[1]
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Gateway:
    """A served side: its address, and the process whose CPU counts (with its children)."""

    port: int
    pid: int

    def cpu_s(self) -> float:
        """User and system time of the gateway's processes; the PSP's and the client's are others."""
        return sum(_cpu_s(pid) for pid in (self.pid, *_children_of(self.pid)))


@dataclass(frozen=True, slots=True)
class Parts:
    floor: Gateway
    product: Gateway
    token: str
    sandbox: str
    environment: Mapping[str, str]
    var: Path


@contextmanager
def running(folder: Path) -> Iterator[Parts]:
    with ExitStack() as stack, (folder / "log").open("wb") as log:
        issuer_url, token = stack.enter_context(issuer())
        ports = {name: free_port() for name in ("floor", "product", "sandbox")}
        sandbox, var = f"http://localhost:{ports['sandbox']}", folder / "var"
        (var / "metrics").mkdir(parents=True)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PAYMENTSERVER_")},
            "PAYMENTSERVER_ENV": "development",
            "PAYMENTSERVER_VAR": str(var),
            "PAYMENTSERVER_PUBLIC_URL": f"http://localhost:{ports['product']}",
            "PAYMENTSERVER_ISSUER": issuer_url,
            "PAYMENTSERVER_WORKERS": "1",
            "PAYMENTSERVER_THREADS": "8",
            "FLOOR_DATABASE": str(folder / "floor.db"),
            "FLOOR_ISSUER": issuer_url,
            "FLOOR_PSP": f"{sandbox}/{ACCOUNT.name}",
        }
        seeding = f"from dev.seed import seed; seed({sandbox!r})"
        finished(["-c", seeding], environment)

        def started(name: str, module: str, *more: str) -> Gateway:
            arguments = ["-m", module, "--port", str(ports[name]), *more]
            return Gateway(ports[name], stack.enter_context(program(arguments, environment, log)).pid)

        state = str(folder / "sandbox")
        psp = started("sandbox", "dev.sandbox", "--state", state, "--webhook-base", "http://localhost:9")
        floor, product = started("floor", "benchmarks.floor"), started("product", "server.serve")
        for one in (psp, floor, product):
            wait_for_port(one.port)
        yield Parts(floor, product, token, sandbox, environment, var)


def finished(arguments: Sequence[str], environment: Mapping[str, str]) -> bytes:
    """What a Python child wrote; ends the run with what it complained of when it failed."""
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=dict(environment), capture_output=True)
    if done.returncode:
        raise SystemExit(done.stderr.decode(errors="replace")[-4000:])
    return done.stdout


@contextmanager
def program(arguments: Sequence[str], environment: Mapping[str, str], log: object) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=dict(environment),
        stdout=log,  # type: ignore[call-overload]
        stderr=subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def issuer() -> Iterator[tuple[str, str]]:
    """An OpenID Connect issuer of one key, and one token of its; it is asked once by each gateway."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = {**jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "1", "alg": "RS256"}
    with answering({}) as server:
        url = f"http://localhost:{server.server_address[1]}"
        server.answers["/.well-known/openid-configuration"] = {"issuer": url, "jwks_uri": f"{url}/keys"}
        server.answers["/keys"] = {"keys": [{**public, "use": "sig"}]}
        now = int(time.time())
        claims = {
            "iss": url,
            "aud": "paymentserver",
            "sub": "bench",
            "client_id": "bench",
            "merchant_id": "default",
            "scope": "payments:write payments:read refunds:write",
            "iat": now,
            "exp": now + 3600,
            "jti": "bench",
        }
        yield url, jwt.encode(claims, key, algorithm="RS256", headers={"kid": "1", "typ": "at+jwt"})


class Answering(ThreadingHTTPServer):
    """Answers GET by `answers`, and everything else with 200; `taken` counts the POSTs."""

    daemon_threads = True

    def __init__(self, answers: dict[str, object]) -> None:
        self.answers = answers
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Answering

    def do_GET(self) -> None:
        self._tell(json.dumps(self.server.answers.get(self.path)).encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._tell(b"{}")

    def _tell(self, body: bytes) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body)

    def log_message(self, format: str, *arguments: object) -> None: ...


@contextmanager
def answering(answers: dict[str, object]) -> Iterator[Answering]:
    server = Answering(answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, within_s: float = 30) -> None:
    ends = time.monotonic() + within_s
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.05)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def _children_of(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
