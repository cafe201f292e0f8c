"""Where the broker under test is, and how each client is told.

Everything comes from the environment (see ``run``). Nothing here opens a
connection.
"""

import os
import ssl
import urllib.parse
import uuid

AMQP_URL = os.environ.get("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/%2f")
AMQPS_URL = os.environ.get("AMQPS_URL")

_parts = urllib.parse.urlsplit(AMQP_URL)
HOST = _parts.hostname or "127.0.0.1"
PORT = _parts.port or 5672
USER = urllib.parse.unquote(_parts.username or "guest")
PASSWORD = urllib.parse.unquote(_parts.password or "guest")
VHOST = urllib.parse.unquote(_parts.path[1:]) or "/"


def url(host=HOST, port=PORT, user=USER, password=PASSWORD, vhost=VHOST, query=""):
    """The broker's URL with some of its parts replaced."""

    def quote(text):
        return urllib.parse.quote(text, safe="")

    return (
        f"amqp://{quote(user)}:{quote(password)}@{host}:{port}/{quote(vhost)}"
        + (f"?{query}" if query else "")
    )


def unique(what):
    """A name that no other test, process or earlier run has used."""
    return f"py.{what}.{uuid.uuid4().hex[:12]}"


def tls_context(with_certificate=False):
    """A context that verifies the broker against TLS_CA; the name in the
    certificate is checked too, as every client does by default."""
    context = ssl.create_default_context(cafile=os.environ["TLS_CA"])
    if with_certificate:
        context.load_cert_chain(os.environ["TLS_CERT"], os.environ["TLS_KEY"])
    return context


def tls_files(with_certificate=False):
    """The same as py-amqp's options."""
    options = {
        "ca_certs": os.environ["TLS_CA"],
        "cert_reqs": ssl.CERT_REQUIRED,
        "server_hostname": urllib.parse.urlsplit(AMQPS_URL).hostname,
    }
    if with_certificate:
        options["certfile"] = os.environ["TLS_CERT"]
        options["keyfile"] = os.environ["TLS_KEY"]
    return options
