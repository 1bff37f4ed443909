"""An application with a database: what it answers is in the database of another container.

GET /            the texts of all posts in the order of their numbers, a line each
GET /write/TEXT  adds a post
GET /uploads/NAME and /plugins/NAME   a file of the volume

It serves when the database does, whose host, name, user and password DB_HOST, DB_NAME, DB_USER and DB_PASSWORD say.
"""

import http.server
import os
import signal
import ssl
import time
import urllib.parse

import pymysql


def connect():
    return pymysql.connect(
        host=os.environ["DB_HOST"],
        database=os.environ["DB_NAME"],
        user=os.environ["DB_USER"],
        password=os.environ["DB_PASSWORD"],
        charset="utf8mb4",
        autocommit=True,
    )


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        _, first, rest = (urllib.parse.unquote(self.path) + "/").split("/", 2)
        if first in ("uploads", "plugins"):
            with open(f"/srv/{first}/{rest.strip('/')}", "rb") as file:
                return self.answer(file.read())
        with connect() as connection, connection.cursor() as cursor:
            if first == "write":
                cursor.execute("INSERT INTO posts (text) VALUES (%s)", (rest.strip("/"),))
            cursor.execute("SELECT text FROM posts ORDER BY number")
            self.answer("".join(text + "\n" for (text,) in cursor.fetchall()).encode())

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(http.server.ThreadingHTTPServer):
    def finish_request(self, request, client_address):
        request.settimeout(10)
        with tls.wrap_socket(request, server_side=True) as connection:
            super().finish_request(connection, client_address)

    def handle_error(self, request, client_address):
        pass


signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(os.environ["SWITCHYARD_CERTIFICATE"])
while True:
    try:
        connect().close()
        break
    except pymysql.Error:
        # It makes its data at its first start, and is not reached meanwhile.
        time.sleep(0.1)
Server(("0.0.0.0", 443), Handler).serve_forever()
