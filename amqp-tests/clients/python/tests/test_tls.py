"""TLS with each client. AMQPS_URL's host name must be in the certificate."""

import ssl

import aio_pika
import broker
import kombu
import pika
import pytest

pytestmark = pytest.mark.tls

MUTUAL = [
    pytest.param(False, id="server-certificate"),
    pytest.param(True, id="client-certificate", marks=pytest.mark.mutual_tls),
]


def pika_parameters(context):
    parameters = pika.URLParameters(broker.AMQPS_URL)
    parameters.ssl_options = pika.SSLOptions(context, parameters.host)
    return parameters


@pytest.mark.parametrize("mutual", MUTUAL)
def test_pika(names, mutual):
    connection = pika.BlockingConnection(pika_parameters(broker.tls_context(mutual)))
    channel = connection.channel()
    queue = names.queue()
    channel.queue_declare(queue)
    channel.confirm_delivery()
    body = b"s" * 300_000
    for _ in range(10):
        channel.basic_publish("", queue, body)
    received = []
    for method, _, got in channel.consume(queue):
        received.append(got)
        channel.basic_ack(method.delivery_tag)
        if len(received) == 10:
            break
    channel.cancel()
    connection.close()
    assert received == [body] * 10


@pytest.mark.mutual_tls
def test_external_logs_in_as_the_certificates_user(names):
    """The client certificate's common name is guest; user-id proves who was logged in."""
    parameters = pika_parameters(broker.tls_context(True))
    parameters.credentials = pika.credentials.ExternalCredentials()
    try:
        connection = pika.BlockingConnection(parameters)
    except pika.exceptions.AuthenticationError:
        pytest.skip("the broker does not offer EXTERNAL")
    channel = connection.channel()
    queue = names.queue()
    channel.queue_declare(queue)
    channel.confirm_delivery()
    properties = pika.BasicProperties(user_id="guest")
    channel.basic_publish("", queue, b"who", properties)
    with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="authenticated user was 'guest'"):
        properties = pika.BasicProperties(user_id="somebody-else")
        channel.basic_publish("", queue, b"who", properties)
    connection.close()


def test_external_needs_a_certificate():
    parameters = pika_parameters(broker.tls_context(False))
    parameters.credentials = pika.credentials.ExternalCredentials()
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        pika.BlockingConnection(parameters)


@pytest.mark.parametrize(
    "version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda v: v.name
)
def test_protocol_versions(version):
    context = broker.tls_context()
    context.minimum_version = context.maximum_version = version
    connection = pika.BlockingConnection(pika_parameters(context))
    transport = connection._impl._transport._sock
    assert transport.version() == version.name.replace("TLSv1_", "TLSv1.")
    assert connection.channel().queue_declare("", exclusive=True).method.queue
    connection.close()


def test_an_unknown_authority_is_refused_by_the_client():
    context = ssl.create_default_context()
    with pytest.raises(ssl.SSLCertVerificationError):
        pika.BlockingConnection(pika_parameters(context))


@pytest.mark.parametrize("mutual", MUTUAL)
async def test_aio_pika(names, mutual):
    connection = await aio_pika.connect(
        broker.AMQPS_URL, ssl_context=broker.tls_context(mutual)
    )
    async with connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(names.queue())
        await channel.default_exchange.publish(aio_pika.Message(b"secret"), queue.name)
        assert (await queue.get(timeout=5, no_ack=True)).body == b"secret"


@pytest.mark.parametrize("mutual", MUTUAL)
def test_kombu(names, mutual):
    with kombu.Connection(broker.AMQPS_URL, ssl=broker.tls_files(mutual)) as connection:
        simple = connection.SimpleQueue(names.queue())
        simple.put({"secret": True})
        message = simple.get(timeout=5)
        message.ack()
        assert message.payload == {"secret": True}
        simple.close()
