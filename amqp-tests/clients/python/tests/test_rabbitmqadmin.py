"""RabbitMQ's rabbitmqadmin: every verb it has, and what it prints."""

import json
import os

import broker
import pika
import pytest
import rabbitmqadmin
import waiting

URL = os.environ.get("MANAGEMENT_URL")


@pytest.fixture
def tool():
    if not URL:
        pytest.skip("no MANAGEMENT_URL given")
    path = rabbitmqadmin.find()
    if not path:
        pytest.skip("rabbitmqadmin 3.10.8 is neither installed nor to be downloaded")
    vhost = broker.unique("vhost")
    tool = rabbitmqadmin.Tool(path, URL, vhost)
    assert tool.ok("declare", "vhost", f"name={vhost}") == "vhost declared\n"
    yield tool
    tool.ok("delete", "vhost", f"name={vhost}")


def table(*rows):
    """Rows as the tool draws them: the first is the head, in the middle."""
    widths = [max(len(row[at]) for row in rows) + 2 for at in range(len(rows[0]))]
    bar = "+" + "+".join("-" * width for width in widths) + "+\n"
    head = "|" + "|".join(cell.center(width) for cell, width in zip(rows[0], widths)) + "|\n"
    lines = [
        "|" + "|".join((" " + cell).ljust(width) for cell, width in zip(row, widths)) + "|\n"
        for row in rows[1:]
    ]
    return bar + head + bar + "".join(lines) + bar


def listed(tool, what, *columns):
    """What a list holds, as JSON."""
    return json.loads(tool.ok("-f", "raw_json", "list", what, *columns))


def test_declares_and_deletes_everything(tool):
    for kind, facts, described in [
        ("queue", ["name=q", "durable=true", 'arguments={"x-max-length":9}'], "queue"),
        ("queue", ["name=q2", "durable=false", "auto_delete=true"], "queue"),
        ("exchange", ["name=x", "type=topic"], "exchange"),
        ("binding", ["source=x", "destination=q", "routing_key=a.#"], "binding"),
        ("policy", ["name=p", "pattern=^q", 'definition={"max-length":5}', "apply-to=queues"], "policy"),
        (
            "operator_policy",
            ["name=o", "pattern=^q", 'definition={"max-length":4}', "apply-to=queues"],
            "operator_policy",
        ),
        ("vhost_limit", [f"vhost={tool.vhost}", "name=max-queues", "value=77"], "vhost_limit"),
    ]:
        assert tool.ok("declare", kind, *facts) == f"{described} declared\n"
    queues = listed(tool, "queues", "name", "durable", "auto_delete", "arguments")
    assert queues == [
        {"name": "q", "durable": True, "auto_delete": False, "arguments": {"x-max-length": 9}},
        {"name": "q2", "durable": False, "auto_delete": True, "arguments": {}},
    ]
    exchanges = {x["name"]: x for x in listed(tool, "exchanges", "name", "type", "durable")}
    assert exchanges["x"] == {"name": "x", "type": "topic", "durable": True}
    assert exchanges[""]["type"] == "direct"
    bindings = listed(tool, "bindings", "source", "destination", "routing_key")
    assert {"source": "x", "destination": "q", "routing_key": "a.#"} in bindings
    assert [p["name"] for p in listed(tool, "policies")] == ["p"]
    assert [p["name"] for p in listed(tool, "operator_policies")] == ["o"]
    assert [v["value"] for v in listed(tool, "vhost_limits")] == [{"max-queues": 77}]
    for kind, facts in [
        ("binding", ["source=x", "destination_type=queue", "destination=q", "properties_key=a.%23"]),
        ("vhost_limit", [f"vhost={tool.vhost}", "name=max-queues"]),
        ("operator_policy", ["name=o"]),
        ("policy", ["name=p"]),
        ("exchange", ["name=x"]),
        ("queue", ["name=q"]),
    ]:
        assert tool.ok("delete", kind, *facts) == f"{kind} deleted\n"
    assert [q["name"] for q in listed(tool, "queues", "name")] == ["q2"]
    assert listed(tool, "policies") == []


def test_users_and_permissions(tool):
    user = broker.unique("user")
    assert tool.ok("declare", "user", f"name={user}", "password=secret", "tags=monitoring,other") == "user declared\n"
    try:
        facts = [f"vhost={tool.vhost}", f"user={user}", "configure=^a", "write=.*", "read=.*"]
        assert tool.ok("declare", "permission", *facts) == "permission declared\n"
        (entry,) = [u for u in listed(tool, "users", "name", "tags") if u["name"] == user]
        assert entry["tags"] == ["monitoring", "other"]
        (entry,) = [p for p in listed(tool, "permissions") if p["user"] == user]
        assert (entry["vhost"], entry["configure"]) == (tool.vhost, "^a")
        login = [f"--username={user}", "--password=secret"]
        assert tool.ok(*login, "declare", "queue", "name=a.q") == "queue declared\n"
        status, out = tool.run(*login, "declare", "queue", "name=b.q")
        assert status == 1 and out.startswith("*** Access refused: /api/queues/"), out
        assert tool.ok("delete", "permission", f"vhost={tool.vhost}", f"user={user}") == "permission deleted\n"
    finally:
        tool.ok("delete", "user", f"name={user}")


def test_publishes_gets_and_purges(tool):
    tool.ok("declare", "queue", "name=q", "durable=true")
    assert tool.ok("publish", "exchange=amq.default", "routing_key=q", "payload=hi") == "Message published\n"
    nowhere = tool.ok("publish", "exchange=amq.default", "routing_key=nosuch", "payload=hi")
    assert nowhere == "Message published but NOT routed\n"
    head = [
        "routing_key",
        "exchange",
        "message_count",
        "payload",
        "payload_bytes",
        "payload_encoding",
        "properties",
        "redelivered",
    ]
    row = ["q", "", "0", "hi", "2", "string", "", "False"]
    assert tool.ok("get", "queue=q", "ackmode=ack_requeue_true") == table(head, row)
    row[-1] = "True"
    assert tool.ok("get", "queue=q", "ackmode=ack_requeue_false") == table(head, row)
    assert tool.ok("get", "queue=q") == "No items\n"
    for n in range(3):
        tool.ok("publish", "routing_key=q", f"payload={n}", 'properties={"delivery_mode":2}')
    assert tool.ok("purge", "queue", "name=q") == "queue purged\n"
    assert tool.ok("get", "queue=q") == "No items\n"


def test_formats(tool):
    for name in ("first", "second"):
        tool.ok("declare", "queue", f"name={name}")
    tool.ok("publish", "routing_key=second", "payload=hi")

    def counted():
        return tool.ok("-f", "tsv", "list", "queues", "name", "messages") == (
            "name\tmessages\nfirst\t0\nsecond\t1\n"
        )

    waiting.until(counted, "the message is counted")
    columns = ["list", "queues", "name", "messages"]
    assert tool.ok(*columns) == table(["name", "messages"], ["first", "0"], ["second", "1"])
    assert tool.ok("list", "queues") == tool.ok(*columns)
    assert tool.ok("-f", "kvp", *columns) == (
        'name="first" messages="0"\nname="second" messages="1"\n'
    )
    assert tool.ok("-f", "bash", "list", "queues", "name").split() == ["first", "second"]
    assert "name: first\n" in tool.ok("-f", "long", *columns)
    assert json.loads(tool.ok("-f", "pretty_json", *columns)) == [
        {"name": "first", "messages": 0},
        {"name": "second", "messages": 1},
    ]
    assert tool.ok("--sort=messages", "--sort-reverse", "-f", "tsv", *columns).splitlines()[1] == "second\t1"


def test_lists_and_shows_all_there_is(tool):
    parameters = pika.URLParameters(broker.url(vhost=tool.vhost))
    parameters.client_properties = {"connection_name": "rabbitmqadmin's"}
    connection = pika.BlockingConnection(parameters)
    channel = connection.channel()
    channel.queue_declare("q")
    channel.basic_consume("q", lambda *_: None, consumer_tag="its.tag")

    def mine(what):
        return [c for c in listed(tool, what, "name", "vhost") if c["vhost"] == tool.vhost]

    waiting.until(lambda: mine("connections") and mine("channels"), "both are listed")
    name = mine("connections")[0]["name"]
    assert mine("channels")[0]["name"] == f"{name} (1)"
    waiting.until(lambda: "its.tag" in tool.ok("list", "consumers"), "the consumer is listed")
    for what in ("nodes", "vhosts", "users", "permissions", "parameters", "exchanges", "bindings"):
        tool.ok("list", what)
    # Without naming columns it draws whatever there is.
    for what in ("connections", "channels", "queues", "exchanges", "nodes"):
        assert listed(tool, what), what
    head, row = [
        [cell.strip() for cell in line.strip("|\n").split("|")]
        for line in tool.ok("show", "overview").splitlines()
        if line.startswith("|")
    ]
    assert head == ["rabbitmq_version", "cluster_name", "queue_totals.messages", "object_totals.queues"]
    assert row[0].startswith("3.10") and int(row[2]) >= 0 and int(row[3]) >= 1
    assert tool.ok("close", "connection", f"name={name}") == "connection closed\n"
    with pytest.raises(pika.exceptions.AMQPConnectionError) as closed:
        connection.process_data_events(time_limit=30)
    assert closed.value.args[0] == 320


def test_says_what_is_refused(tool):
    vhost = tool.vhost
    for arguments, printed in [
        (["delete", "queue", "name=nosuch"], f"*** Not found: /api/queues/{vhost}/nosuch\n"),
        (
            ["declare", "queue", "name=q", "queue_type=nosuch"],
            f"*** invalid arg 'x-queue-type' for queue 'q' in vhost '{vhost}': "
            "\"unsupported queue type 'nosuch'\"\n",
        ),
        (
            ["-u", "guest", "-p", "bad", "list", "queues"],
            f"*** Access refused: /api/queues/{vhost}?columns=name,messages\n",
        ),
        (
            ["declare", "policy", "name=p", "pattern=x", 'definition={"max-length":-1}'],
            "*** Validation failed\n\n-1 is not a valid maximum length\n\n",
        ),
    ]:
        status, out = tool.run(*arguments)
        assert (status, out.rstrip("\n")) == (1, printed.rstrip("\n"))


def test_exports_and_imports(tool, tmp_path):
    tool.ok("declare", "queue", "name=q", 'arguments={"x-message-ttl":60000}')
    tool.ok("declare", "binding", "source=amq.topic", "destination=q", "routing_key=k")
    exported = tool.ok("export", "broker.json", cwd=tmp_path)
    assert exported == f'Exported definitions for {tool.address.hostname} to "broker.json"\n'
    definitions = json.loads((tmp_path / "broker.json").read_text())
    # With a vhost named it is that vhost's part, which goes into any other.
    (queue,) = definitions["queues"]
    assert (queue["name"], queue["arguments"]) == ("q", {"x-message-ttl": 60000})
    tool.ok("delete", "queue", "name=q")
    assert listed(tool, "queues", "name") == []
    imported = tool.ok("import", "broker.json", cwd=tmp_path)
    assert imported.startswith("Uploaded definitions from")
    waiting.until(lambda: listed(tool, "queues", "name") == [{"name": "q"}], "the queue is back")
    keys = [b["routing_key"] for b in listed(tool, "bindings", "source", "routing_key") if b["source"]]
    assert keys == ["k"]
