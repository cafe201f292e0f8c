// Pages are addressed by the part after "#", as in RabbitMQ's pages: "#/queues/%2F/orders".
// Filters, sorting and tabs follow after "?", so that every view can be linked.

import { Cell, useEffect, useState } from './lib.js';

function decode(segment) {
  try { return decodeURIComponent(segment); } catch { return segment; }
}

function read() {
  const hash = location.href.split('#').slice(1).join('#');
  const [where, query = ''] = hash.split(/\?(.*)/s);
  return { segments: where.split('/').slice(1).map(decode), query: new URLSearchParams(query), raw: hash };
}

/** Where we are. */
export const route = new Cell(read());
addEventListener('hashchange', () => route.set(read()));

/** The address of a page: segments, and what stands behind "?". */
export function link(segments, query) {
  const tail = query ? new URLSearchParams(Object.entries(query).filter(([, v]) => v !== undefined && v !== '' && v !== false)).toString() : '';
  return `#/${segments.map(encodeURIComponent).join('/')}${tail ? `?${tail}` : ''}`;
}

/** Goes to a page. */
export const go = (to) => { location.hash = to; };

/** Changes what stands behind "?" without a step in the history. */
export function change(values) {
  const { segments, query } = read();
  for (const [key, value] of Object.entries(values)) {
    if (value === undefined || value === null || value === '' || value === false) query.delete(key);
    else query.set(key, value);
  }
  history.replaceState(null, '', link(segments, Object.fromEntries(query)));
  route.set(read());
}

export function useCell(cell) {
  const [value, setValue] = useState(cell.value);
  useEffect(() => {
    setValue(() => cell.value);
    return cell.listen((next) => setValue(() => next));
  }, [cell]);
  return value;
}

export const useRoute = () => useCell(route);

const exchangeSegment = (name) => (name === '' ? 'amq.default' : name);
export const to = {
  queue: (vhost, name, query) => link(['queues', vhost, name], query),
  exchange: (vhost, name) => link(['exchanges', vhost, exchangeSegment(name)]),
  connection: (name) => link(['connections', name]),
  channel: (name) => link(['channels', name]),
  vhost: (name) => link(['vhosts', name]),
  user: (name) => link(['users', name]),
  policy: (vhost, name) => link(['policies', vhost, name]),
  node: (name) => link(['nodes', name]),
};
