import assert from 'node:assert/strict';
import { test } from 'node:test';
import amqp from 'amqplib';
import { connect, declare, event, exchange, fails, Inbox, open, session, soon, unique, url } from './harness.js';

test('channel errors carry the code and text and leave the connection alone', async (t) => {
  const { connection, channel } = await session(t);
  const queue = await declare(channel);
  const source = await exchange(t, channel, 'direct');
  const inner = await exchange(t, channel, 'direct', { internal: true });
  await channel.bindExchange(source, inner, 'k');
  const missing = unique('missing');
  const published = (name, key, options) => (ch) => {
    const closed = event(ch, 'error').then((error) => Promise.reject(error));
    ch.publish(name, key, Buffer.from('x'), options);
    return closed;
  };
  const noQueue = `NOT_FOUND - no queue '${missing}' in vhost '/'`;
  const noExchange = `NOT_FOUND - no exchange '${missing}' in vhost '/'`;
  const unequal = `PRECONDITION_FAILED - inequivalent arg`;
  const cases = [
    [404, noQueue, (ch) => ch.consume(missing, () => {})],
    [404, noQueue, (ch) => ch.get(missing)],
    [404, noQueue, (ch) => ch.purgeQueue(missing)],
    [404, noQueue, (ch) => ch.checkQueue(missing)],
    [404, noQueue, (ch) => ch.bindQueue(missing, source, 'k')],
    [404, noExchange, (ch) => ch.bindQueue(queue, missing, 'k')],
    [404, noExchange, (ch) => ch.checkExchange(missing)],
    [404, noExchange, published(missing, 'k')],
    [403, "ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'", (ch) => ch.assertQueue('amq.mine')],
    [403, "ACCESS_REFUSED - exchange name 'amq.mine' contains reserved prefix 'amq.*'", (ch) => ch.assertExchange('amq.mine', 'direct')],
    [403, 'ACCESS_REFUSED - operation not permitted on the default exchange', (ch) => ch.bindQueue(queue, '', 'k')],
    [403, "ACCESS_REFUSED - deletion of system exchange 'amq.topic' in vhost '/' not allowed", (ch) => ch.deleteExchange('amq.topic')],
    [403, `ACCESS_REFUSED - cannot publish to internal exchange '${inner}' in vhost '/'`, published(inner, 'k')],
    [406, `${unequal} 'x-message-ttl' for queue '${queue}' in vhost '/': received the value '1000' of type 'short' but current is none`,
      (ch) => ch.assertQueue(queue, { exclusive: true, durable: false, messageTtl: 1000 })],
    [406, `${unequal} 'auto_delete' for queue '${queue}' in vhost '/': received 'true' but current is 'false'`,
      (ch) => ch.assertQueue(queue, { exclusive: true, durable: false, autoDelete: true })],
    [406, `${unequal} 'type' for exchange '${source}' in vhost '/': received 'fanout' but current is 'direct'`,
      (ch) => ch.assertExchange(source, 'fanout', { durable: false })],
    [406, `PRECONDITION_FAILED - invalid arg 'x-expires' for queue '${missing}' in vhost '/': {value_zero,0}`,
      (ch) => ch.assertQueue(missing, { expires: 0 })],
    [406, "PRECONDITION_FAILED - invalid expiration 'soon': no_integer", published('', queue, { expiration: 'soon' })],
    [406, "PRECONDITION_FAILED - user_id property set to 'mallory' but authenticated user was 'guest'",
      published('', queue, { userId: 'mallory' })],
    [406, 'PRECONDITION_FAILED - unknown delivery tag 99', (ch) => {
      const closed = event(ch, 'error').then((error) => Promise.reject(error));
      ch.ack({ fields: { deliveryTag: 99 } });
      return closed;
    }],
    [406, `PRECONDITION_FAILED - exchange '${inner}' in vhost '/' in use`, (ch) => ch.deleteExchange(inner, { ifUnused: true })],
  ];
  for (const [code, text, act] of cases) await fails(act(await open(connection)), code, text);
  channel.sendToQueue(queue, Buffer.from('still here'));
  assert.deepEqual(await (await Inbox.of(channel, queue, { noAck: true })).texts(1), ['still here']);
});

test('deleting what is in use or not empty fails when asked', async (t) => {
  const { connection, channel } = await session(t);
  const [full, used] = [await declare(channel), await declare(channel)];
  channel.sendToQueue(full, Buffer.from('x'));
  await Inbox.of(channel, used);
  await fails((await open(connection)).deleteQueue(full, { ifEmpty: true }), 406,
    `PRECONDITION_FAILED - queue '${full}' in vhost '/' not empty`);
  await fails((await open(connection)).deleteQueue(used, { ifUnused: true }), 406,
    `PRECONDITION_FAILED - queue '${used}' in vhost '/' in use`);
});

test('connection errors close the connection with their code and text', async (t) => {
  const cases = [
    [530, "NOT_ALLOWED - attempt to reuse consumer tag 'same'", async (ch) => {
      const queue = await declare(ch);
      await ch.consume(queue, () => {}, { consumerTag: 'same' });
      return ch.consume(queue, () => {}, { consumerTag: 'same' });
    }],
    [503, "COMMAND_INVALID - unknown exchange type 'strange'", (ch) => ch.assertExchange(unique('x'), 'strange')],
  ];
  for (const [code, text, act] of cases) {
    const { connection, channel } = await session(t);
    const failed = event(connection, 'error').then((error) => Promise.reject(error));
    const closed = event(connection, 'close');
    const attempt = (async () => act(channel))().catch(() => {});
    await fails(failed, code, text);
    await closed;
    await soon(attempt, 'the call fails');
  }
});

test('a wrong password and a missing vhost are refused', async () => {
  const wrong = new URL(url);
  wrong.password = 'not-the-password';
  await assert.rejects(soon(amqp.connect(wrong.toString()), 'refusal'), (error) => {
    assert.match(error.message, /403 \(ACCESS-REFUSED\)/);
    assert.match(error.message, /Login was refused using authentication mechanism PLAIN\. For details see the broker logfile\./);
    return true;
  });
  const elsewhere = new URL(url);
  elsewhere.pathname = '/no-such-vhost';
  await assert.rejects(soon(amqp.connect(elsewhere.toString()), 'refusal'), /ConnectionClose/);
});

test('closed channels and connections refuse further work', async (t) => {
  const connection = await connect(t);
  const channel = await open(connection);
  await channel.close();
  assert.throws(() => channel.sendToQueue('q', Buffer.from('x')), amqp.IllegalOperationError);
  await connection.close();
  await assert.rejects(connection.createChannel(), amqp.IllegalOperationError);
});
