"""A pytest plugin with the fixtures that aiormq's tests take from a conftest
outside their package: the address of the broker."""

import docker_client
import pytest
from yarl import URL


@pytest.fixture(scope="session")
def rabbitmq_container():
    return docker_client.DockerClient().run("", [])


@pytest.fixture(scope="session")
def amqp_direct_url(rabbitmq_container):
    return URL.build(
        scheme="amqp",
        user="guest",
        password="guest",
        path="//",
        host=rabbitmq_container.host,
        port=rabbitmq_container.ports["5672/tcp"],
    )
