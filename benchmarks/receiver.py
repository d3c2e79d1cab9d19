"""A subscriber that answers at once: ``python -m benchmarks.receiver`` prints its port, notes when each request came, and
tells it all to ``GET /told``, which begins anew."""

from __future__ import annotations

import asyncio
import json
import time

ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
_came: list[tuple[float, str, str]] = []  # when, path, webhook-id


async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            came, path = time.time(), head[0].split(" ")[1]
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
            await reader.readexactly(int(headers.get("content-length", "0")))
            if path == "/told":
                body = json.dumps(_came).encode()
                _came.clear()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            else:
                _came.append((came, path, headers.get("webhook-id", "")))
                writer.write(ANSWER)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(served, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
