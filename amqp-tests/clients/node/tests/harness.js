// What every test file shares: connections that end with their test, names
// that no other run uses, and waits that are bounded by patience.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import amqp from 'amqplib';

export const url = process.env.AMQP_URL || 'amqp://guest:guest@127.0.0.1:5672/%2f';
export const patience = 20_000;

export const unique = (what) => `node.${what}.${randomBytes(6).toString('hex')}`;

/** Rejects when a promise takes longer than anyone would wait. */
export async function soon(promise, what) {
  const stop = new AbortController();
  const late = pause(patience, null, { signal: stop.signal }).then(
    () => { throw new Error(`never came: ${what}`); },
    () => {},
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    stop.abort();
  }
}

/** Polls a condition until it holds. */
export async function until(what, condition) {
  for (const deadline = Date.now() + patience; !(await condition()); await pause(5)) {
    if (Date.now() > deadline) throw new Error(`never happened: ${what}`);
  }
}

export const event = (emitter, name) =>
  soon(new Promise((resolve) => emitter.once(name, resolve)), `event ${name}`);

export async function connect(t, options = {}, target = url) {
  const connection = await amqp.connect(target, options);
  connection.on('error', () => {});
  t.after(() => connection.close().catch(() => {}));
  return connection;
}

export async function open(connection) {
  const channel = await connection.createChannel();
  channel.on('error', () => {});
  return channel;
}

export async function openConfirm(connection) {
  const channel = await connection.createConfirmChannel();
  channel.on('error', () => {});
  return channel;
}

/** A connection with one channel. */
export async function session(t) {
  const connection = await connect(t);
  return { connection, channel: await open(connection) };
}

/** A queue that ends with its connection. */
export async function declare(channel, options = {}) {
  const { queue } = await channel.assertQueue(unique('q'), { durable: false, exclusive: true, ...options });
  return queue;
}

/** A durable queue that ends with the test. */
export async function durable(t, channel, options = {}) {
  const { queue } = await channel.assertQueue(unique('q'), options);
  cleanUp(t, (cleaner) => cleaner.deleteQueue(queue));
  return queue;
}

export async function exchange(t, channel, kind, options = {}) {
  const name = unique(kind);
  await channel.assertExchange(name, kind, { durable: false, ...options });
  cleanUp(t, (cleaner) => cleaner.deleteExchange(name));
  return name;
}

function cleanUp(t, act) {
  t.after(async () => {
    const connection = await amqp.connect(url);
    await act(await connection.createChannel());
    await connection.close();
  });
}

/** Deliveries of one consumer, taken one at a time; null is the broker's cancel. */
export class Inbox {
  #waiting = [];
  #ready = [];

  static async of(channel, queue, options = {}) {
    const inbox = new Inbox();
    const { consumerTag } = await channel.consume(queue, (message) => inbox.#put(message), options);
    inbox.tag = consumerTag;
    return inbox;
  }

  #put(message) {
    const next = this.#waiting.shift();
    if (next) next(message);
    else this.#ready.push(message);
  }

  get size() {
    return this.#ready.length;
  }

  take() {
    if (this.#ready.length > 0) return Promise.resolve(this.#ready.shift());
    return soon(new Promise((resolve) => this.#waiting.push(resolve)), 'delivery');
  }

  async texts(count) {
    const out = [];
    while (out.length < count) out.push((await this.take()).content.toString());
    return out;
  }
}

/** Everything that reached a queue before this call, sorted. */
export async function arrived(channel, queue) {
  const inbox = await Inbox.of(channel, queue, { noAck: true });
  channel.sendToQueue(queue, Buffer.from('end'));
  const seen = [];
  for (;;) {
    const text = (await inbox.take()).content.toString();
    if (text === 'end') return seen.sort().join(' ');
    seen.push(text);
  }
}

export const depth = async (channel, queue) => (await channel.checkQueue(queue)).messageCount;

/** Requires an error of the broker with this code and exactly this text. */
export async function fails(promise, code, text) {
  const error = await soon(promise, text).then(() => assert.fail(`succeeded: ${text}`), (caught) => caught);
  assert.equal(error.code, code, error.message);
  assert.ok(error.message.includes(`with message "${text}"`), `${error.message}\nwanted: ${text}`);
}
