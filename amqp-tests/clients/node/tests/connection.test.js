import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { test } from 'node:test';
import amqp from 'amqplib';
import { connect, declare, durable, event, Inbox, open, openConfirm, session, soon, unique, url } from './harness.js';

async function echo(channel, text) {
  const queue = await declare(channel);
  const inbox = await Inbox.of(channel, queue, { noAck: true });
  channel.sendToQueue(queue, Buffer.from(text));
  assert.equal((await inbox.take()).content.toString(), text);
}

test('server properties name what clients look for', async (t) => {
  const { serverProperties } = (await connect(t)).connection;
  for (const name of [
    'publisher_confirms', 'exchange_exchange_bindings', 'basic.nack', 'consumer_cancel_notify', 'connection.blocked',
    'consumer_priorities', 'authentication_failure_close', 'per_consumer_qos', 'direct_reply_to',
  ]) assert.equal(serverProperties.capabilities[name], true, name);
  assert.equal(typeof serverProperties.product, 'string');
});

test('many channels on one connection', async (t) => {
  const connection = await connect(t);
  await Promise.all(Array.from({ length: 300 }, async (_, n) => {
    const channel = await open(connection);
    await echo(channel, `channel ${n}`);
    await channel.close();
  }));
});

test('many connections at once', async (t) => {
  await Promise.all(Array.from({ length: 50 }, async (_, n) => echo(await open(await connect(t)), String(n))));
});

test('the blocked listener stays quiet without an alarm', async (t) => {
  const connection = await connect(t);
  for (const name of ['blocked', 'unblocked']) connection.on(name, () => assert.fail(name));
  const channel = await openConfirm(connection);
  channel.sendToQueue(await declare(channel), Buffer.from('x'));
  await soon(channel.waitForConfirms(), 'confirm');
});

test('a new connection carries on after the broker closed the old one', async (t) => {
  const { connection, channel } = await session(t);
  const queue = await durable(t, channel);
  for (const text of ['a', 'b', 'c']) channel.sendToQueue(queue, Buffer.from(text));
  const inbox = await Inbox.of(channel, queue);
  channel.ack(await inbox.take());
  await inbox.texts(2);
  const closed = event(connection, 'close');
  channel.assertExchange(unique('x'), 'strange').catch(() => {}); // 503 ends the connection
  await closed;
  const next = (await session(t)).channel;
  const again = await Inbox.of(next, queue);
  for (const want of ['b', 'c']) {
    const message = await again.take();
    assert.equal(`${message.content} ${message.fields.redelivered}`, `${want} true`);
    next.ack(message);
  }
});

/** Relays to the broker until told to cut every socket. */
async function relay() {
  const target = new URL(url);
  const { port, hostname } = target;
  const sockets = new Set();
  const server = net.createServer((client) => {
    const broker = net.connect(Number(port || 5672), hostname);
    for (const [from, to] of [[client, broker], [broker, client]]) {
      sockets.add(from);
      from.pipe(to);
      from.on('error', () => {});
      from.on('close', () => { sockets.delete(from); to.destroy(); });
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  target.host = `127.0.0.1:${server.address().port}`;
  return { target: target.toString(), cut: () => sockets.forEach((socket) => socket.destroy()) };
}

test("amqplib's recovery finds its exclusive queue again after a cut", async (t) => {
  const { target, cut } = await relay();
  const queue = unique('q');
  const inboxes = [];
  const recovering = await amqp.connect(target, {
    recovery: {
      initialDelay: 20,
      setup: async (model) => {
        const channel = await model.createChannel();
        channel.on('error', () => {});
        await channel.assertQueue(queue, { durable: false, exclusive: true });
        inboxes.push(await Inbox.of(channel, queue, { noAck: true }));
      },
    },
  });
  recovering.on('error', () => {});
  t.after(() => recovering.close());
  const { channel: sender } = await session(t);
  sender.sendToQueue(queue, Buffer.from('before'));
  assert.deepEqual(await inboxes[0].texts(1), ['before']);
  const back = event(recovering, 'connect');
  cut();
  await back;
  sender.sendToQueue(queue, Buffer.from('after'));
  assert.deepEqual(await inboxes.at(-1).texts(1), ['after']);
});

test('an idle connection outlives several heartbeats', async (t) => {
  const target = new URL(url);
  target.search = 'heartbeat=1';
  const connection = await connect(t, {}, target.toString());
  let closed = false;
  connection.on('close', () => { closed = true; });
  const channel = await open(connection);
  const queue = await declare(channel);
  // Three messages, each a second after the one before, by the broker's own clock.
  const delay = await declare(channel, { messageTtl: 1000, deadLetterExchange: '', deadLetterRoutingKey: queue });
  const inbox = await Inbox.of(channel, queue, { noAck: true });
  for (let n = 0; n < 3; n++) {
    channel.sendToQueue(delay, Buffer.from(String(n)));
    assert.deepEqual(await inbox.texts(1), [String(n)]);
  }
  assert.equal(closed, false);
});

test('TLS', { skip: process.env.AMQPS_URL ? false : 'not run: AMQPS_URL is not set' }, async (t) => {
  const file = (name) => (process.env[name] ? readFileSync(process.env[name]) : undefined);
  const tls = { ca: [file('TLS_CA')], cert: file('TLS_CERT'), key: file('TLS_KEY') };
  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    const connection = await connect(t, { ...tls, minVersion: version, maxVersion: version }, process.env.AMQPS_URL);
    await echo(await open(connection), 'secret '.repeat(100_000));
  }
  await assert.rejects(soon(amqp.connect(process.env.AMQPS_URL), 'refusal'), 'an untrusted certificate was accepted');
});
