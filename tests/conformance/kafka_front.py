"""What the Tansu broker lacks, in front of it: logins by SASL, and an advertised address that a test may choose.

Every other request passes through as it is, one at a time for each connection. The protocol is that of
https://kafka.apache.org/protocol.html, the logins those of RFC 4616 (PLAIN) and RFC 5802 (SCRAM).
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import socket
import socketserver
import struct
import threading
from collections.abc import Generator

METADATA, SASL_HANDSHAKE, API_VERSIONS, SASL_AUTHENTICATE = 3, 17, 18, 36
METADATA_FLEXIBLE = 9  # the version from which lengths are varints
UNSUPPORTED_MECHANISM, AUTHENTICATION_FAILED = 33, 58
SCRAM = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}

Login = Generator[
    bytes, bytes, tuple[bool, bytes]
]  # is sent the client's words; whether it is the account, and the last word


class Front(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, server: tuple[str, int], username: str, password: str) -> None:
        self.server, self.username, self.password = server, username, password
        self.advertised = server
        self.logins: list[str] = []
        super().__init__(("127.0.0.1", 0), _Connection)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.socket.getsockname()[1]

    @property
    def servers(self) -> str:
        return f"127.0.0.1:{self.address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Connections that a test cuts are no news."""


class _Connection(socketserver.BaseRequestHandler):
    server: Front
    request: socket.socket

    def handle(self) -> None:
        self._login: Login | None = None
        self._mechanism = ""
        is_known = False
        with socket.create_connection(self.server.server, timeout=10) as upstream, contextlib.suppress(EOFError):
            upstream.settimeout(None)
            while True:
                frame = _frame(self.request)
                api, version, correlation = struct.unpack_from(">hhi", frame)
                if api == SASL_HANDSHAKE:
                    answer = self._handshake(frame)
                elif api == SASL_AUTHENTICATE:
                    is_known, answer = self._authenticate(frame, version)
                elif not is_known and api != API_VERSIONS:
                    return
                else:
                    upstream.sendall(_framed(frame))
                    answer = _frame(upstream)[4:]
                    if api == METADATA:
                        answer = advertising(answer, version, self.server.advertised)
                self.request.sendall(_framed(struct.pack(">i", correlation) + answer))

    def _handshake(self, frame: bytes) -> bytes:
        mechanism = self._mechanism = _after_header(frame)[2:].decode()
        offered = ["PLAIN", *SCRAM]
        if mechanism in offered:
            self._login = self._plain() if mechanism == "PLAIN" else self._scram(SCRAM[mechanism])
            next(self._login)
        names = b"".join(struct.pack(">h", len(one)) + one.encode() for one in offered)
        return struct.pack(">hi", 0 if self._login else UNSUPPORTED_MECHANISM, len(offered)) + names

    def _authenticate(self, frame: bytes, version: int) -> tuple[bool, bytes]:
        assert self._login is not None
        challenge, is_known, refusal = b"", False, b""
        try:
            challenge = self._login.send(_after_header(frame)[4:])
        except StopIteration as ended:
            is_known, challenge = ended.value
        if is_known:
            self.server.logins.append(self._mechanism)
        elif not challenge:  # a broker's words may hold anything: here what must never be shown
            refusal = f"not {self.server.username} with {self.server.password}".encode()
        answer = struct.pack(">hh", AUTHENTICATION_FAILED if refusal else 0, len(refusal) or -1) + refusal
        answer += struct.pack(">i", len(challenge)) + challenge
        return is_known, answer + (struct.pack(">q", 0) if version >= 1 else b"")

    def _plain(self) -> Login:
        words = yield b""
        return words.split(b"\0")[1:] == [self.server.username.encode(), self.server.password.encode()], b""

    def _scram(self, name: str) -> Login:
        salt, rounds = b"salt of the tests", 4096
        salted = hashlib.pbkdf2_hmac(name, self.server.password.encode(), salt, rounds)
        client_key, server_key = (hmac.digest(salted, one, name) for one in (b"Client Key", b"Server Key"))
        first = (yield b"").removeprefix(b"n,,")
        fields = dict(one.split(b"=", 1) for one in first.split(b","))
        challenge = b"r=%sfront,s=%s,i=%d" % (fields[b"r"], base64.b64encode(salt), rounds)
        final = yield challenge
        bare, _, proof = final.rpartition(b",p=")
        signed = b",".join((first, challenge, bare))
        signature = hmac.digest(hashlib.new(name, client_key).digest(), signed, name)
        expected = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        is_known = fields[b"n"] == self.server.username.encode() and base64.b64decode(proof) == expected
        return is_known, b"v=" + base64.b64encode(hmac.digest(server_key, signed, name)) if is_known else b""


def advertising(answer: bytes, version: int, address: tuple[str, int]) -> bytes:
    """A Metadata answer in which every broker is at `address`."""
    assert version >= METADATA_FLEXIBLE, "what the client speaks"
    host, port = address[0].encode(), struct.pack(">i", address[1])
    at = 1 + 4  # the header's tags, throttle_time_ms
    count, at = _varint(answer, at)
    made = answer[:at]
    for _ in range(count - 1):
        length, end = _varint(answer, at + 4)
        made += answer[at : at + 4] + bytes([len(host) + 1]) + host + port
        at = end + length - 1 + 4
        rack, end = _varint(answer, at)
        end += max(rack - 1, 0) + 1  # and no tags
        made, at = made + answer[at:end], end
    return made + answer[at:]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number, and where it ends."""
    number = shift = 0
    while True:
        number |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            return number, at


def _after_header(frame: bytes) -> bytes:
    """What follows api, version, correlation and the client's id."""
    (length,) = struct.unpack_from(">h", frame, 8)
    return frame[10 + max(length, 0) :]


def _framed(frame: bytes) -> bytes:
    return struct.pack(">i", len(frame)) + frame


def _frame(source: socket.socket) -> bytes:
    (length,) = struct.unpack(">i", _exactly(source, 4))
    return _exactly(source, length)


def _exactly(source: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        more = source.recv(length - len(data))
        if not more:
            raise EOFError
        data += more
    return data
