// The requests that RabbitMQ does not have: looking into a queue without taking, who holds what, sending
// dead letters back, trying a route. Paths and shapes of all of them are here.

import { get, path, post } from './api.js';

const queue = (vhost, name) => path`queues/${vhost}/${name}`;

/** Messages from a position on, left where they are: `{ total, items: [message] }`. */
export async function peek(vhost, name, { offset, count, signal }) {
  const answer = await get(`${queue(vhost, name)}/peek?offset=${offset}&count=${count}&encoding=auto&truncate=50000`, { signal });
  return Array.isArray(answer) ? { items: answer } : { ...answer, items: answer.messages ?? answer.items ?? [] };
}

/** Deletes messages by position. */
export const removeAt = (vhost, name, positions) => post(`${queue(vhost, name)}/messages/delete`, { positions });
/** Moves messages behind all others, by position. */
export const requeueAt = (vhost, name, positions) => post(`${queue(vhost, name)}/messages/requeue`, { positions });
/** Where to ask for deliveries that nobody has acknowledged yet. */
export const unackedPath = (vhost, name) => `${queue(vhost, name)}/unacked`;
/** Starts to send messages on: to where they died, or to a queue. */
export const redrive = (vhost, name, order) => post(`${queue(vhost, name)}/redrive`, order);
export const redrivePath = (vhost, name) => `${queue(vhost, name)}/redrive`;
/** Where a message would go, without sending it. */
export const tryRoute = (order) => post('route', order);
