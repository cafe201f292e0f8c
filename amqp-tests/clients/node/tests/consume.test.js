import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect, declare, depth, durable, fails, Inbox, open, session, unique, until } from './harness.js';

const fill = (channel, queue, ...texts) => {
  for (const text of texts) channel.sendToQueue(queue, Buffer.from(text));
};
const seen = (message) => `${message.content} ${message.fields.redelivered}`;

test('acks remove and the rest comes back redelivered', async (t) => {
  const { connection, channel } = await session(t);
  const queue = await declare(channel);
  fill(channel, queue, 'a', 'b', 'c', 'd');
  const inbox = await Inbox.of(channel, queue);
  const messages = [];
  for (const want of ['a false', 'b false', 'c false', 'd false']) {
    messages.push(await inbox.take());
    assert.equal(seen(messages.at(-1)), want);
  }
  channel.ack(messages[1], true);
  channel.ack(messages[3]);
  await channel.close();
  assert.equal(seen(await (await Inbox.of(await open(connection), queue)).take()), 'c true');
});

test('nack and reject requeue in place', async (t) => {
  const { channel } = await session(t);
  const queue = await declare(channel);
  fill(channel, queue, 'a', 'b', 'c', 'd');
  const held = [];
  for (let n = 0; n < 3; n++) held.push(await channel.get(queue));
  assert.equal(held[2].fields.messageCount, 1);
  channel.nack(held[1]);
  channel.reject(held[0], true);
  channel.reject(held[2], false);
  const inbox = await Inbox.of(channel, queue, { noAck: true });
  for (const want of ['a true', 'b true', 'd false']) assert.equal(seen(await inbox.take()), want);
  assert.equal(await channel.get(queue), false);
});

test('nackAll and recover give everything back', async (t) => {
  const { channel } = await session(t);
  const queue = await declare(channel);
  fill(channel, queue, 'a', 'b');
  const inbox = await Inbox.of(channel, queue);
  assert.deepEqual(await inbox.texts(2), ['a', 'b']);
  channel.nackAll(true);
  assert.deepEqual(await inbox.texts(2), ['a', 'b']);
  await channel.recover();
  assert.deepEqual([seen(await inbox.take()), seen(await inbox.take())], ['a true', 'b true']);
  channel.ackAll();
  await until('all is acknowledged', async () => (await depth(channel, queue)) === 0);
});

test('prefetch holds back until acks', async (t) => {
  const { connection, channel } = await session(t);
  const watch = await open(connection);
  const queue = await declare(channel);
  await channel.prefetch(2);
  const inbox = await Inbox.of(channel, queue);
  fill(channel, queue, 'a', 'b', 'c', 'd', 'e');
  const first = await inbox.take();
  await inbox.take();
  await until('the rest stays queued', async () => (await depth(watch, queue)) === 3);
  assert.equal(inbox.size, 0);
  channel.ack(first);
  assert.deepEqual(await inbox.texts(1), ['c']);
  assert.equal(await depth(watch, queue), 2);
});

test('global prefetch is shared by the channel', async (t) => {
  const { connection, channel } = await session(t);
  const watch = await open(connection);
  const [one, two] = [await declare(channel), await declare(channel)];
  fill(channel, one, '1a', '1b', '1c');
  fill(channel, two, '2a', '2b', '2c');
  await channel.prefetch(3, true);
  const [left, right] = [await Inbox.of(channel, one), await Inbox.of(channel, two)];
  const queued = async () => (await depth(watch, one)) + (await depth(watch, two));
  await until('three are out', async () => left.size + right.size === 3 && (await queued()) === 3);
  channel.ackAll();
  await until('three more are out', async () => left.size + right.size === 6);
  assert.deepEqual(await left.texts(3), ['1a', '1b', '1c']);
  assert.deepEqual(await right.texts(3), ['2a', '2b', '2c']);
});

test('several consumers on one connection keep their order', async (t) => {
  const { connection, channel } = await session(t);
  const queues = [];
  for (let q = 0; q < 20; q++) queues.push(await declare(channel));
  const inboxes = [];
  for (const queue of queues) inboxes.push(await Inbox.of(await open(connection), queue, { noAck: true }));
  for (let n = 0; n < 50; n++) queues.forEach((queue, q) => fill(channel, queue, `${q}:${n}`));
  for (const [q, inbox] of inboxes.entries()) {
    assert.deepEqual(await inbox.texts(50), Array.from({ length: 50 }, (_, n) => `${q}:${n}`));
  }
});

test('consumer priority is served first', async (t) => {
  const { channel } = await session(t);
  const queue = await declare(channel);
  const low = await Inbox.of(channel, queue, { noAck: true, priority: -1 });
  const high = await Inbox.of(channel, queue, { noAck: true, priority: 5 });
  fill(channel, queue, 'a', 'b');
  assert.deepEqual(await high.texts(2), ['a', 'b']);
  await channel.cancel(high.tag);
  fill(channel, queue, 'c');
  assert.deepEqual(await low.texts(1), ['c']);
});

test('a single active consumer hands over', async (t) => {
  const { channel } = await session(t);
  const queue = await declare(channel, { arguments: { 'x-single-active-consumer': true } });
  const first = await Inbox.of(channel, queue, { noAck: true });
  const second = await Inbox.of(channel, queue, { noAck: true });
  fill(channel, queue, 'a', 'b');
  assert.deepEqual(await first.texts(2), ['a', 'b']);
  assert.equal(second.size, 0);
  await channel.cancel(first.tag);
  fill(channel, queue, 'c');
  assert.deepEqual(await second.texts(1), ['c']);
});

test('an exclusive consumer keeps others out', async (t) => {
  const { connection, channel } = await session(t);
  const queue = await declare(channel);
  await Inbox.of(channel, queue, { exclusive: true });
  await fails((await open(connection)).consume(queue, () => {}), 403,
    `ACCESS_REFUSED - queue '${queue}' in vhost '/' in exclusive use`);
});

test('consumers are told when their queue goes', async (t) => {
  const { connection, channel } = await session(t);
  const queue = await durable(t, channel);
  const inbox = await Inbox.of(channel, queue);
  await (await open(connection)).deleteQueue(queue);
  assert.equal(await inbox.take(), null); // amqplib's sign of a cancel by the broker
  assert.equal(await depth(channel, await declare(channel)), 0);
});

test('priorities are served highest first', async (t) => {
  const { channel } = await session(t);
  const queue = await declare(channel, { maxPriority: 10 });
  [0, 5, 1, 10, 5, 200, 1].forEach((priority, n) => channel.sendToQueue(queue, Buffer.from(String(n)), { priority }));
  assert.equal((await (await Inbox.of(channel, queue, { noAck: true })).texts(7)).join(''), '3514260');
});

test('max-length drops the oldest', async (t) => {
  const { channel } = await session(t);
  const queue = await declare(channel, { maxLength: 3 });
  fill(channel, queue, 'a', 'b', 'c', 'd', 'e');
  assert.deepEqual(await (await Inbox.of(channel, queue, { noAck: true })).texts(3), ['c', 'd', 'e']);
});

test('purge and delete return counts', async (t) => {
  const { channel } = await session(t);
  const queue = await declare(channel);
  fill(channel, queue, 'a', 'b', 'c');
  assert.deepEqual(await channel.purgeQueue(queue), { messageCount: 3 });
  fill(channel, queue, 'd', 'e');
  assert.deepEqual(await channel.deleteQueue(queue), { messageCount: 2 });
  assert.deepEqual(await channel.deleteQueue(queue), { messageCount: 0 });
});

test('server-named, auto-delete and expiring queues', async (t) => {
  const { connection, channel } = await session(t);
  const named = await channel.assertQueue('', { exclusive: true });
  assert.match(named.queue, /^amq\.gen-[A-Za-z0-9_-]{22}$/);
  const short = (await channel.assertQueue(unique('q'), { durable: false, autoDelete: true })).queue;
  const inbox = await Inbox.of(channel, short);
  assert.equal((await channel.checkQueue(short)).consumerCount, 1);
  await channel.cancel(inbox.tag);
  const brief = (await channel.assertQueue(unique('q'), { durable: false, expires: 150 })).queue;
  for (const queue of [short, brief]) {
    await until(`${queue} is gone`, async () => (await open(connection)).purgeQueue(queue).then(() => false, () => true));
  }
});

test('an exclusive queue locks others out and ends with its connection', async (t) => {
  const { connection, channel } = await session(t);
  const queue = await declare(channel);
  const other = await connect(t);
  const whole = `RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '${queue}' in vhost '/'. `
    + 'It could be originally declared on another connection or the exclusive property value does not match '
    + 'that of the original declaration.';
  const text = whole.length > 255 ? `${whole.slice(0, 252)}...` : whole;
  await fails((await open(other)).assertQueue(queue, { exclusive: true, durable: false }), 405, text);
  await fails((await open(other)).consume(queue, () => {}), 405, text);
  await fails((await open(other)).get(queue), 405, text);
  await fails((await open(other)).deleteQueue(queue), 405, text);
  await connection.close();
  await until('the queue is gone', async () => (await open(other)).checkQueue(queue).then(() => false, (error) => error.code === 404));
});
