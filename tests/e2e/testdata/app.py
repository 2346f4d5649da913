#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The application tier: takes orders over HTTP and keeps them in PostgreSQL.

POST /orders {"id": "..."}  keeps an order; the same one twice is one order
GET  /health                200 while the database answers
"""

import json
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg2
from psycopg2.pool import ThreadedConnectionPool

NAME = os.environ["APPLICATION"]
POOL = ThreadedConnectionPool(1, 16, os.environ["DATABASE"])
SLOTS = threading.BoundedSemaphore(16)


def query(statement, *values):
    """Runs one statement in a transaction of its own, on a connection of the pool."""
    with SLOTS:
        connection = POOL.getconn()
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement, values)
        finally:
            POOL.putconn(connection, close=bool(connection.closed))


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path != "/health":
            return self.answer(404)
        self.answer_with("SELECT 1")

    def do_POST(self):
        if self.path != "/orders":
            return self.answer(404)
        order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        # A load balancer that got no answer asks another application, so the first may have kept it.
        self.answer_with(
            "INSERT INTO orders (id, application) VALUES (%s, %s) ON CONFLICT DO NOTHING", order["id"], NAME
        )

    def answer_with(self, statement, *values):
        try:
            query(statement, *values)
        except psycopg2.Error as error:
            print(error, file=sys.stderr, flush=True)
            return self.answer(503)
        self.answer(200)

    def answer(self, status):
        body = (NAME + "\n").encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = False  # shutdown lets those at work finish


server = Server(("", 8000), Handler)
# The first process of a pid namespace is not ended by a signal that it does not catch.
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
server.server_close()
