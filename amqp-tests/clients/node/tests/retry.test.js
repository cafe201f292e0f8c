import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect, declare, depth, durable, event, exchange, fails, Inbox, open, openConfirm, session, soon } from './harness.js';

test('a retry through a delay queue counts its deaths', async (t) => {
  const { channel } = await session(t);
  const [jobs, delays] = [await exchange(t, channel, 'direct'), await exchange(t, channel, 'direct')];
  const work = await declare(channel, { deadLetterExchange: delays });
  const wait = await declare(channel, { deadLetterExchange: jobs, messageTtl: 30 });
  await channel.bindQueue(work, jobs, 'job');
  await channel.bindQueue(wait, delays, 'job');
  const inbox = await Inbox.of(channel, work);
  channel.publish(jobs, 'job', Buffer.from('w'), { headers: { kept: 'yes' } });
  for (let attempt = 0; attempt < 4; attempt++) {
    const message = await inbox.take();
    const { headers } = message.properties;
    assert.equal(headers.kept, 'yes');
    if (attempt === 0) {
      assert.equal('x-death' in headers, false);
    } else {
      const facts = headers['x-death'].map(({ count, reason, queue, exchange: from, 'routing-keys': keys }) => (
        { count, reason, queue, from, keys }));
      assert.deepEqual(facts, [
        { count: attempt, reason: 'expired', queue: wait, from: delays, keys: ['job'] },
        { count: attempt, reason: 'rejected', queue: work, from: jobs, keys: ['job'] },
      ]);
      assert.equal(headers['x-first-death-reason'], 'rejected');
      assert.equal(headers['x-first-death-queue'], work);
      assert.equal(headers['x-first-death-exchange'], jobs);
    }
    if (attempt < 3) channel.nack(message, false, false);
    else channel.ack(message);
  }
});

test('an expired message keeps its expiration in its death', async (t) => {
  const { channel } = await session(t);
  const dead = await declare(channel);
  const queue = await declare(channel, { deadLetterExchange: '', deadLetterRoutingKey: dead });
  channel.sendToQueue(queue, Buffer.from('late'), { expiration: 20 });
  const { fields, properties } = await (await Inbox.of(channel, dead, { noAck: true })).take();
  assert.equal(fields.routingKey, dead);
  assert.equal(properties.expiration, undefined);
  assert.equal(properties.headers['x-death'][0]['original-expiration'], '20');
});

test('overflow dead-letters the head', async (t) => {
  const { channel } = await session(t);
  const dead = await declare(channel);
  const queue = await declare(channel, { deadLetterExchange: '', deadLetterRoutingKey: dead, maxLength: 1 });
  channel.sendToQueue(queue, Buffer.from('a'));
  channel.sendToQueue(queue, Buffer.from('b'));
  const letter = await (await Inbox.of(channel, dead, { noAck: true })).take();
  assert.equal(letter.content.toString(), 'a');
  assert.equal(letter.properties.headers['x-death'][0].reason, 'maxlen');
});

test('a zero TTL delivers only to waiting consumers', async (t) => {
  const channel = await openConfirm(await connect(t));
  const queue = await declare(channel, { messageTtl: 0 });
  channel.sendToQueue(queue, Buffer.from('lost'));
  await soon(channel.waitForConfirms(), 'confirm');
  assert.equal(await depth(channel, queue), 0);
  const inbox = await Inbox.of(channel, queue, { noAck: true });
  channel.sendToQueue(queue, Buffer.from('caught'));
  assert.deepEqual(await inbox.texts(1), ['caught']);
});

test('a quorum queue stops a poison message', async (t) => {
  const channel = await openConfirm(await connect(t));
  const dead = await durable(t, channel);
  const queue = await durable(t, channel, {
    arguments: { 'x-queue-type': 'quorum', 'x-delivery-limit': 2 }, deadLetterExchange: '', deadLetterRoutingKey: dead,
  });
  channel.sendToQueue(queue, Buffer.from('poison'), { persistent: true });
  await soon(channel.waitForConfirms(), 'confirm');
  const inbox = await Inbox.of(channel, queue);
  for (let attempt = 0; attempt < 3; attempt++) {
    const message = await inbox.take();
    if (attempt > 0) assert.equal(message.properties.headers['x-delivery-count'], attempt);
    channel.nack(message);
  }
  const letter = await (await Inbox.of(channel, dead, { noAck: true })).take();
  assert.equal(letter.properties.headers['x-death'][0].reason, 'delivery_limit');
});

test('remote calls through direct reply-to', async (t) => {
  const pseudo = 'amq.rabbitmq.reply-to';
  const [{ channel: serving }, { channel: calling }] = [await session(t), await session(t)];
  const queue = await declare(serving);
  await serving.consume(queue, ({ content, properties: { replyTo, correlationId } }) => {
    serving.sendToQueue(replyTo, Buffer.concat([Buffer.from('re:'), content]), { correlationId });
  }, { noAck: true });
  const replies = await Inbox.of(calling, pseudo, { noAck: true });
  for (let n = 0; n < 100; n++) {
    calling.sendToQueue(queue, Buffer.from(String(n)), { replyTo: pseudo, correlationId: `c${n}` });
    const reply = await replies.take();
    assert.equal(reply.properties.correlationId, `c${n}`);
    assert.equal(reply.content.toString(), `re:${n}`);
  }
});

test('remote calls through an exclusive reply queue', async (t) => {
  const [{ channel: serving }, { channel: calling }] = [await session(t), await session(t)];
  const queue = await declare(serving);
  const requests = await Inbox.of(serving, queue);
  const { queue: answers } = await calling.assertQueue('', { exclusive: true, autoDelete: true, durable: false });
  const replies = await Inbox.of(calling, answers, { noAck: true });
  calling.sendToQueue(queue, Buffer.from('?'), { replyTo: answers, correlationId: '7' });
  const request = await requests.take();
  serving.sendToQueue(request.properties.replyTo, Buffer.from('!'), { correlationId: request.properties.correlationId });
  serving.ack(request);
  assert.equal((await replies.take()).properties.correlationId, '7');
});

test('direct reply-to needs a consumer without acks', async (t) => {
  const { connection, channel } = await session(t);
  const closed = event(channel, 'error');
  channel.sendToQueue(await declare(channel), Buffer.alloc(0), { replyTo: 'amq.rabbitmq.reply-to' });
  await fails(closed.then((error) => Promise.reject(error)), 406, 'PRECONDITION_FAILED - fast reply consumer does not exist');
  await fails((await open(connection)).consume('amq.rabbitmq.reply-to', () => {}), 406,
    'PRECONDITION_FAILED - reply consumer cannot acknowledge');
});
