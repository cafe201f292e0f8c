"""RabbitMQ's own command line tool for its HTTP API, the Python one of 3.10.8.

It is used as it is found: where RabbitMQ is installed, or out of Debian's
package, which is downloaded and not installed. Whichever it is, its text below
the first line must be that of 3.10.8.
"""

import fcntl
import glob
import hashlib
import os
import pathlib
import subprocess
import sys
import urllib.parse

SHA256 = "ec7cb8a7d0f718c71b34317f8e896d70b3b18ff2c8ef9e4a914f51dfd6178c12"
CACHE = pathlib.Path(__file__).resolve().parents[3] / ".cache" / "rabbitmqadmin"
INSTALLED = [
    "/usr/bin/rabbitmqadmin",
    "/usr/lib/rabbitmq/lib/*/plugins/rabbitmq_management-3.10.8/priv/www/cli/rabbitmqadmin",
]


def genuine(path):
    """Whether this file is the tool of 3.10.8, but for its first line."""
    try:
        _, _, text = pathlib.Path(path).read_bytes().partition(b"\n")
    except OSError:
        return False
    return hashlib.sha256(text).hexdigest() == SHA256


def find():
    """The tool's path, or None where it can be had in no way."""
    for pattern in INSTALLED:
        for path in glob.glob(pattern):
            if genuine(path):
                return path
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        # One test process downloads, the others find what it left.
        fcntl.flock(lock, fcntl.LOCK_EX)
        path = CACHE / "usr" / "bin" / "rabbitmqadmin"
        if not genuine(path):
            download()
        return str(path) if genuine(path) else None


def download():
    commands = [
        ["apt-get", "download", "-qq", "rabbitmq-server=3.10.8*"],
        ["sh", "-c", "dpkg-deb --fsys-tarfile *.deb | tar -x ./usr/bin/rabbitmqadmin; rm -f *.deb"],
    ]
    for command in commands:
        try:
            subprocess.run(command, cwd=CACHE, check=True, timeout=120, capture_output=True)
        except (OSError, subprocess.SubprocessError):
            return


class Tool:
    """Runs the tool against one broker."""

    def __init__(self, path, url, vhost):
        self.path = path
        self.address = urllib.parse.urlsplit(url)
        self.vhost = vhost

    def run(self, *arguments, vhost=None, cwd=None, env=None):
        """Exit status and what was printed, both streams together."""
        command = [
            sys.executable,
            self.path,
            f"--host={self.address.hostname}",
            f"--port={self.address.port}",
            f"--vhost={vhost or self.vhost}",
            *arguments,
        ]
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=30,
            cwd=cwd,
            # Neither the caller's configuration nor its terminal.
            env={**os.environ, "HOME": "/nonexistent", **(env or {})},
        )
        return done.returncode, done.stdout

    def ok(self, *arguments, **more):
        """What a command that must succeed printed."""
        status, out = self.run(*arguments, **more)
        assert status == 0, f"{arguments}: exit {status}: {out}"
        return out
