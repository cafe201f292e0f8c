import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { test } from 'node:test';
import { connect, declare, depth, durable, Inbox, open, openConfirm, session, soon, unique, url } from './harness.js';

test('thousands of confirms in flight', async (t) => {
  const channel = await openConfirm(await connect(t));
  const queue = await declare(channel);
  let confirmed = 0;
  for (let n = 0; n < 10_000; n++) {
    channel.sendToQueue(queue, Buffer.from(String(n)), {}, (error) => { if (!error) confirmed += 1; });
  }
  await soon(channel.waitForConfirms(), 'confirms');
  assert.equal(confirmed, 10_000);
  assert.equal(await depth(channel, queue), 10_000);
});

test('persistent messages to a durable queue are confirmed', async (t) => {
  const channel = await openConfirm(await connect(t));
  const queue = await durable(t, channel);
  for (let n = 0; n < 500; n++) channel.sendToQueue(queue, Buffer.from('p'), { persistent: true });
  await soon(channel.waitForConfirms(), 'confirms');
  assert.equal(await depth(channel, queue), 500);
});

test('mandatory returns come before their confirms', async (t) => {
  const channel = await openConfirm(await connect(t));
  const missing = unique('missing');
  const happened = [];
  channel.on('return', (message) => {
    assert.equal(message.fields.replyCode, 312);
    assert.equal(message.fields.replyText, 'NO_ROUTE');
    assert.equal(message.fields.routingKey, missing);
    assert.equal(message.content.toString(), 'back');
    happened.push(`return ${message.properties.messageId}`);
  });
  for (let n = 0; n < 100; n++) {
    const options = { mandatory: true, messageId: String(n) };
    channel.publish('', missing, Buffer.from('back'), options, () => happened.push(`confirm ${n}`));
  }
  await soon(channel.waitForConfirms(), 'confirms');
  assert.equal(happened.length, 200);
  for (let n = 0; n < 100; n++) {
    const [returned, confirmed] = [happened.indexOf(`return ${n}`), happened.indexOf(`confirm ${n}`)];
    assert.ok(returned >= 0 && returned < confirmed, `${n}: ${returned} ${confirmed}`);
  }
});

test('a routed mandatory message is not returned', async (t) => {
  const channel = await openConfirm(await connect(t));
  const queue = await declare(channel);
  channel.on('return', () => assert.fail('returned'));
  channel.sendToQueue(queue, Buffer.from('m'), { mandatory: true });
  await soon(channel.waitForConfirms(), 'confirms');
  assert.equal(await depth(channel, queue), 1);
});

test('reject-publish nacks what does not fit', async (t) => {
  const channel = await openConfirm(await connect(t));
  const queue = await declare(channel, { arguments: { 'x-max-length': 2, 'x-overflow': 'reject-publish' } });
  const outcomes = await soon(Promise.all([0, 1, 2, 3].map((n) => new Promise((resolve) => {
    channel.sendToQueue(queue, Buffer.from(String(n)), {}, (error) => resolve(error ? 'nack' : 'ack'));
  }))), 'outcomes');
  assert.deepEqual(outcomes, ['ack', 'ack', 'nack', 'nack']);
  assert.equal(await depth(channel, queue), 2);
});

test('bodies of every size arrive unchanged', async (t) => {
  const { channel } = await session(t);
  const queue = await declare(channel);
  const inbox = await Inbox.of(channel, queue, { noAck: true });
  // 4096 is what amqplib offers unless told otherwise; 8 octets of a frame are its own.
  for (const size of [0, 1, 4087, 4088, 4089, 131_063, 131_064, 131_065, 1 << 20, 6 << 20]) {
    const body = randomFillSync(Buffer.alloc(size));
    channel.sendToQueue(queue, body);
    assert.ok((await inbox.take()).content.equals(body), `${size} octets`);
  }
});

test('large frames are negotiated and used', async (t) => {
  const target = new URL(url);
  target.search = 'frameMax=131072';
  const channel = await open(await connect(t, {}, target.toString()));
  const queue = await declare(channel);
  const inbox = await Inbox.of(channel, queue, { noAck: true });
  const body = randomFillSync(Buffer.alloc(3 << 20));
  channel.sendToQueue(queue, body);
  assert.ok((await inbox.take()).content.equals(body));
});

test('header types round trip', async (t) => {
  const { channel } = await session(t);
  const queue = await declare(channel);
  const typed = (kind, value) => ({ '!': kind, value });
  const headers = {
    void: null, yes: true, no: false, tiny: 1, negative: -129, small: 30_000, int: -2_000_000_000, long: 2 ** 49,
    float: 1.5, string: 'héllo', empty: '', bytes: Buffer.from([0, 1, 2, 255]), array: [1, 'two', [true, null], { deep: 3 }],
    table: { inner: { innermost: 'x' }, none: {} },
    time: typed('timestamp', 1_700_000_000), decimal: typed('decimal', { digits: 31_415, places: 2 }),
    i8: typed('int8', -8), u8: typed('uint8', 200), i16: typed('int16', -1600), u16: typed('uint16', 60_000),
    i32: typed('int32', -320_000), u32: typed('uint32', 4_000_000_000), f32: typed('float', 2.5), f64: typed('double', -2.25),
  };
  channel.sendToQueue(queue, Buffer.from('h'), { headers });
  const got = (await (await Inbox.of(channel, queue, { noAck: true })).take()).properties.headers;
  // amqplib hands typed values back as it decodes them; timestamps and decimals keep their marker.
  const plain = Object.fromEntries(Object.entries(headers).map(([key, value]) => [
    key, value?.['!'] && !['timestamp', 'decimal'].includes(value['!']) ? value.value : value,
  ]));
  assert.deepEqual(Object.keys(got).sort(), Object.keys(plain).sort());
  for (const [key, want] of Object.entries(plain)) assert.deepEqual(got[key], want, key);
});

test('every property round trips', async (t) => {
  const { channel } = await session(t);
  const queue = await declare(channel);
  const sent = {
    contentType: 'application/json', contentEncoding: 'gzip', deliveryMode: 2, priority: 7, correlationId: 'corr',
    replyTo: 'reply', expiration: '600000', messageId: 'id', timestamp: 1_600_000_000, type: 'kind', userId: 'guest',
    appId: 'app',
  };
  channel.sendToQueue(queue, Buffer.from('{}'), sent);
  const { properties, fields } = await (await Inbox.of(channel, queue, { noAck: true })).take();
  for (const [key, want] of Object.entries(sent)) assert.equal(properties[key], want, key);
  assert.equal(fields.routingKey, queue);
  assert.equal(fields.exchange, '');
});
