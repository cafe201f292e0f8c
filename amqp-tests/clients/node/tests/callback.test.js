// The callback API: the same wire, another shape of program.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { promisify } from 'node:util';
import callbacks from 'amqplib/callback_api';
import { event, soon, unique, url } from './harness.js';

const call = (target, name, ...args) => soon(promisify(target[name].bind(target))(...args), name);

async function connect(t) {
  const connection = await call(callbacks, 'connect', url);
  connection.on('error', () => {});
  t.after(() => new Promise((resolve) => { try { connection.close(() => resolve()); } catch { resolve(); } }));
  return connection;
}

async function open(connection, kind = 'createChannel') {
  const channel = await call(connection, kind);
  channel.on('error', () => {});
  return channel;
}

test('declare, bind, publish, consume, ack', async (t) => {
  const channel = await open(await connect(t));
  const { queue } = await call(channel, 'assertQueue', unique('q'), { exclusive: true });
  await call(channel, 'bindQueue', queue, 'amq.topic', `${queue}.#`, {});
  await call(channel, 'prefetch', 1, false);
  channel.publish('amq.topic', `${queue}.a.b`, Buffer.from('one'));
  channel.publish('amq.topic', queue, Buffer.from('two'));
  const texts = await soon(new Promise((resolve) => {
    const seen = [];
    channel.consume(queue, (message) => {
      seen.push(message.content.toString());
      channel.ack(message);
      if (seen.length === 2) resolve(seen);
    });
  }), 'deliveries');
  assert.deepEqual(texts, ['one', 'two']);
  assert.equal(await call(channel, 'get', queue, {}), false);
});

test('confirms call back one by one', async (t) => {
  const channel = await open(await connect(t), 'createConfirmChannel');
  const { queue } = await call(channel, 'assertQueue', unique('q'), { exclusive: true });
  const outcomes = await soon(Promise.all(Array.from({ length: 3000 }, (_, n) => new Promise((resolve) => {
    channel.sendToQueue(queue, Buffer.from(String(n)), {}, (error) => resolve(error));
  }))), 'confirms');
  assert.ok(outcomes.every((error) => !error));
  assert.equal((await call(channel, 'checkQueue', queue)).messageCount, 3000);
});

test('a missing queue calls back with 404', async (t) => {
  const channel = await open(await connect(t));
  const missing = unique('missing');
  await assert.rejects(call(channel, 'checkQueue', missing), (error) => {
    assert.equal(error.code, 404);
    assert.ok(error.message.includes(`no queue '${missing}' in vhost '/'`));
    return true;
  });
});

test('returns and cancels are events', async (t) => {
  const connection = await connect(t);
  const channel = await open(connection);
  const returned = event(channel, 'return');
  channel.publish('', unique('missing'), Buffer.from('back'), { mandatory: true });
  assert.equal((await returned).fields.replyCode, 312);
  const { queue } = await call(channel, 'assertQueue', unique('q'), { autoDelete: true });
  const cancelled = soon(new Promise((resolve) => {
    channel.consume(queue, (message) => { if (message === null) resolve(); });
  }), 'cancel');
  await call(channel, 'checkQueue', queue);
  await call(await open(connection), 'deleteQueue', queue, {});
  await cancelled;
});

test('the broker closing a connection is an event', async (t) => {
  const connection = await connect(t);
  const channel = await open(connection);
  const failed = event(connection, 'error');
  channel.assertExchange(unique('x'), 'strange');
  assert.equal((await failed).code, 503);
});
