"""Serve YouLab on this machine: ``python3 -m youlab``."""

from __future__ import annotations

import argparse
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIServer, make_server

from youlab import database, sample
from youlab.app import App


class Server(ThreadingMixIn, WSGIServer):
    """One thread for each request; every request opens its own database connection."""

    daemon_threads = True


def main() -> None:
    """Read the command line, then serve until the program is interrupted."""
    parser = argparse.ArgumentParser(prog="youlab", description="A small place to study by conversation.")
    parser.add_argument("--database", default="youlab.db", help="SQLite file (default: %(default)s)")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--sample", action="store_true", help="fill an empty database with sample data")
    options = parser.parse_args()

    app = App(options.database)
    if options.sample:
        with database.opened(options.database) as connection:
            sample.fill_if_empty(connection)
    with make_server(options.host, options.port, app, server_class=Server) as server:
        print(f"YouLab is at http://{options.host}:{server.server_port}", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("Bye.")


if __name__ == "__main__":
    main()
