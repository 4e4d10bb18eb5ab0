"""HTTP POST into SQLite: uvicorn and Starlette, one connection that is kept alive, one sale or 1,000 a request.

An answer is given after the commit.  As a program: ``python -m bench.sync_rivals_http STORE PORT``.
"""

from __future__ import annotations

import http.client
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.sync_servers import free_port, running
from bench.sync_store import Fact, FactStore, batches


def post(room: Path, facts: Sequence[Fact], size: int) -> float:
    """Send facts, so many a request; return the seconds until the last is answered."""
    port = free_port()
    command = [sys.executable, "-m", "bench.sync_rivals_http", str(room / "facts.db"), str(port)]
    encode = msgspec.msgpack.Encoder().encode
    with running(command, room / "http.log", port):
        line = http.client.HTTPConnection("127.0.0.1", port)
        line.connect()
        begun = time.perf_counter()
        for batch in batches(facts, size):
            line.request("POST", "/facts", encode(batch))
            answer = line.getresponse()
            if answer.status != 200 or int(answer.read()) != len(batch):
                raise RuntimeError(f"the server answered {answer.status}")
        took = time.perf_counter() - begun
        line.close()
    return took


def serve(path: Path, port: int) -> None:
    """Take facts and commit each request's."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    store = FactStore(path)
    decode = msgspec.msgpack.Decoder(list[Fact]).decode

    async def take(request: Request) -> PlainTextResponse:
        facts = decode(await request.body())
        store.add(facts)
        return PlainTextResponse(str(len(facts)))

    made = Starlette(routes=[Route("/facts", take, methods=["POST"])])
    uvicorn.run(made, host="127.0.0.1", port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
