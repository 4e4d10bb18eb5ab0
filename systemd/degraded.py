"""The out-of-service screen: one page on the loopback address while the core cannot run.

It uses the standard library only and none of the kiosk's own modules, so that whatever stopped the core cannot
stop this page. Every address answers with the same page and status 503; the page asks again by itself.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="refresh" content="10; url=/">
<title>Out of service</title>
<style>
  body { margin: 0; min-height: 100vh; display: grid; place-content: center; text-align: center;
         background: #12263a; color: #ffffff; font: 2.2rem/1.4 "DejaVu Sans", sans-serif; padding: 2rem; }
  h1 { font-size: 3.4rem; margin: 0 0 1rem; }
  p { margin: 0 0 2.5rem; }
</style>
</head>
<body>
<main>
<section>
<h1>Out of service</h1>
<p>This counter cannot take payments at the moment. Please put no money in it.<br>
Money already taken is recorded; please ask the staff.</p>
</section>
<section lang="es">
<h1>Fuera de servicio</h1>
<p>Este cajero no puede aceptar pagos en este momento. Por favor, no introduzca dinero.<br>
El dinero ya recibido está registrado; pregunte al personal.</p>
</section>
</main>
</body>
</html>
""".encode()


class OutOfService(BaseHTTPRequestHandler):
    """Answers every request with the one page."""

    server_version = "kiosk"
    sys_version = ""

    def do_GET(self) -> None:
        """Send the page."""
        self.send_response(503)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(PAGE)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        self.send_header("Retry-After", "10")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(PAGE)

    do_HEAD = do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Keep the journal free of one line for each refresh."""
        logging.debug(format, *args)


def main(arguments: list[str]) -> int:
    """Serve until the service manager says stop."""
    parser = argparse.ArgumentParser(description="Show the out-of-service screen on the loopback address.")
    parser.add_argument("--port", type=int, default=8080)
    port: int = parser.parse_args(arguments).port
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    with ThreadingHTTPServer(("127.0.0.1", port), OutOfService) as server:
        server.daemon_threads = True
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
