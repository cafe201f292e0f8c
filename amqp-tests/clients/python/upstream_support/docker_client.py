"""Stands in for the module of the same name in aio-pika's tests, which starts
a broker in a container: here the "container" is the broker under test."""

import os
import urllib.parse
from dataclasses import dataclass


class DockerNotAvailableError(Exception):
    """Never raised: no container is needed."""


class DockerHostInfo:
    """Tells nothing: there is no container host."""


@dataclass
class ContainerInfo:
    id: str
    ports: dict[str, int]
    host: str


def check_docker_available():
    return DockerHostInfo()


class DockerClient:
    """Hands out the broker of AMQP_URL and keeps it running."""

    def __init__(self, docker_host_info=None):
        pass

    def run(self, image, ports, environment=None):
        broker = urllib.parse.urlsplit(os.environ["AMQP_URL"])
        return ContainerInfo(
            id="the broker under test",
            # Every address is built before the TLS tests are left out, so that
            # there must be a TLS port; nothing connects to it.
            ports={"5672/tcp": broker.port or 5672, "5671/tcp": 5671},
            host=broker.hostname,
        )

    def kill(self, container_id):
        pass

    def remove(self, container_id):
        pass
