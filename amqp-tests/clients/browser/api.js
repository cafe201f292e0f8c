// The management API as the tests use it to make what the pages then show.

'use strict';

const base = process.env.HTTP_URL ?? 'http://127.0.0.1:15672';
const user = 'guest';
const password = 'guest';
const basic = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

/** Sends a request; what is not a success is an error with the broker's text. */
async function call(method, path, body) {
  const response = await fetch(`${base}/api/${path}`, {
    method,
    headers: { authorization: basic, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text ? JSON.parse(text) : null;
}

const vhost = encodeURIComponent('/');

const queue = (name, settings = {}) => call('PUT', `queues/${vhost}/${encodeURIComponent(name)}`, { durable: true, ...settings });

/** How long the API may take to show what has happened. */
const WAIT_MS = 15000;

/** Waits until the queue holds so many messages. */
async function holds(name, messages) {
  const end = Date.now() + WAIT_MS;
  for (;;) {
    const now = (await call('GET', `queues/${vhost}/${encodeURIComponent(name)}`)).messages;
    if (now === messages) return;
    if (Date.now() > end) throw new Error(`${name} holds ${now} messages, not ${messages}`);
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
}

async function publish(name, payload, properties = {}) {
  const message = { routing_key: name, payload, payload_encoding: 'string', properties };
  const { routed } = await call('POST', `exchanges/${vhost}/amq.default/publish`, message);
  if (!routed) throw new Error(`no queue ${name}`);
}

/** Deletes what is there, and does not mind when it is not. */
async function forget(path) {
  await call('DELETE', path).catch((error) => { if (!/ 404 /.test(error.message)) throw error; });
}

module.exports = { base, user, password, call, vhost, queue, holds, publish, forget };
