import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arrived, declare, exchange, fails, Inbox, open, session, unique } from './harness.js';

const send = (channel, name, key, text, options) => channel.publish(name, key, Buffer.from(text), options);

test('the default exchange routes by queue name', async (t) => {
  const { channel } = await session(t);
  const [queue, other] = [await declare(channel), await declare(channel)];
  send(channel, '', queue, 'a');
  assert.equal(await arrived(channel, queue), 'a');
  assert.equal(await arrived(channel, other), '');
});

test('a direct exchange routes by exact key', async (t) => {
  const { channel } = await session(t);
  const source = await exchange(t, channel, 'direct');
  const [red, both] = [await declare(channel), await declare(channel)];
  await channel.bindQueue(red, source, 'red');
  await channel.bindQueue(both, source, 'red');
  await channel.bindQueue(both, source, 'blue');
  for (const key of ['red', 'blue', 'Red', '']) send(channel, source, key, `[${key}]`);
  assert.equal(await arrived(channel, red), '[red]');
  assert.equal(await arrived(channel, both), '[blue] [red]');
});

test('a fanout exchange copies to every queue', async (t) => {
  const { channel } = await session(t);
  const source = await exchange(t, channel, 'fanout');
  const queues = [];
  for (let n = 0; n < 5; n++) {
    queues.push(await declare(channel));
    await channel.bindQueue(queues[n], source, 'ignored');
  }
  send(channel, source, 'any', 'news');
  for (const queue of queues) assert.equal(await arrived(channel, queue), 'news');
});

test('a topic exchange matches words', async (t) => {
  const { channel } = await session(t);
  const source = await exchange(t, channel, 'topic');
  const cases = {
    'stock.*.nyse': 'stock.ibm.nyse',
    'stock.#': 'stock stock. stock.ibm stock.ibm.nyse',
    '#': ' . a stock stock. stock.ibm stock.ibm.nyse',
    '*': 'a stock',
    '*.*': '. stock. stock.ibm',
    '#.nyse': 'stock.ibm.nyse',
    '#.#': ' . a stock stock. stock.ibm stock.ibm.nyse',
    'no.match': '',
  };
  const queues = {};
  for (const pattern of Object.keys(cases)) {
    queues[pattern] = await declare(channel);
    await channel.bindQueue(queues[pattern], source, pattern);
  }
  for (const key of ['', 'a', '.', 'stock', 'stock.', 'stock.ibm', 'stock.ibm.nyse']) send(channel, source, key, key);
  for (const [pattern, want] of Object.entries(cases)) {
    assert.equal(await arrived(channel, queues[pattern]), want, pattern);
  }
});

test('a headers exchange matches all and any', async (t) => {
  const { channel } = await session(t);
  const source = await exchange(t, channel, 'headers');
  const bind = async (args) => {
    const queue = await declare(channel);
    await channel.bindQueue(queue, source, '', args);
    return queue;
  };
  const all = await bind({ 'x-match': 'all', kind: 'pdf', pages: 3 });
  const any = await bind({ 'x-match': 'any', kind: 'pdf', pages: 3 });
  const presence = await bind({ kind: null });
  const messages = { both: { kind: 'pdf', pages: 3, extra: true }, kind: { kind: 'pdf' }, pages: { kind: 'odt', pages: 3 }, none: {} };
  for (const [text, headers] of Object.entries(messages)) send(channel, source, '', text, { headers });
  assert.equal(await arrived(channel, all), 'both');
  assert.equal(await arrived(channel, any), 'both kind pages');
  assert.equal(await arrived(channel, presence), 'both kind pages');
});

test('exchanges bind to exchanges', async (t) => {
  const { channel } = await session(t);
  const [source, middle] = [await exchange(t, channel, 'topic'), await exchange(t, channel, 'fanout')];
  const queue = await declare(channel);
  await channel.bindExchange(middle, source, 'log.#');
  await channel.bindQueue(queue, middle, '');
  send(channel, source, 'log.error', 'seen');
  send(channel, source, 'metric.cpu', 'unseen');
  await channel.unbindExchange(middle, source, 'log.#');
  send(channel, source, 'log.error', 'late');
  assert.equal(await arrived(channel, queue), 'seen');
});

test('an alternate exchange takes the unroutable', async (t) => {
  const { channel } = await session(t);
  const spare = await exchange(t, channel, 'fanout');
  const source = await exchange(t, channel, 'direct', { alternateExchange: spare });
  const [wanted, rest] = [await declare(channel), await declare(channel)];
  await channel.bindQueue(wanted, source, 'known');
  await channel.bindQueue(rest, spare, '');
  send(channel, source, 'known', 'k');
  send(channel, source, 'strange', 's');
  assert.equal(await arrived(channel, wanted), 'k');
  assert.equal(await arrived(channel, rest), 's');
});

test('CC and BCC reach other keys and only BCC is removed', async (t) => {
  const { channel } = await session(t);
  const source = await exchange(t, channel, 'direct');
  const queues = {};
  for (const key of ['to', 'cc', 'bcc']) {
    queues[key] = await declare(channel);
    await channel.bindQueue(queues[key], source, key);
  }
  send(channel, source, 'to', 'm', { CC: ['cc'], BCC: 'bcc' });
  for (const queue of Object.values(queues)) {
    const { headers } = (await (await Inbox.of(channel, queue, { noAck: true })).take()).properties;
    assert.deepEqual(headers.CC, ['cc']);
    assert.equal('BCC' in headers, false);
  }
});

test('unbinding stops the flow and may be repeated', async (t) => {
  const { channel } = await session(t);
  const source = await exchange(t, channel, 'direct');
  const queue = await declare(channel);
  await channel.bindQueue(queue, source, 'k');
  send(channel, source, 'k', 'before');
  await channel.unbindQueue(queue, source, 'k');
  await channel.unbindQueue(queue, source, 'k');
  send(channel, source, 'k', 'after');
  assert.equal(await arrived(channel, queue), 'before');
});

test('an auto-delete exchange goes with its last binding', async (t) => {
  const { connection, channel } = await session(t);
  const name = unique('x');
  await channel.assertExchange(name, 'fanout', { autoDelete: true, durable: false });
  const queue = await declare(channel);
  await channel.bindQueue(queue, name, '');
  await channel.unbindQueue(queue, name, '');
  await fails((await open(connection)).checkExchange(name), 404, `NOT_FOUND - no exchange '${name}' in vhost '/'`);
});
