// What is in a queue: looked at without taking it, taken on purpose, and what consumers hold.

import { html, useEffect, useState } from '../lib.js';
import { path, post } from '../api.js';
import { peek, removeAt, requeueAt, unackedPath } from '../beyond.js';
import { useLive } from '../live.js';
import { to } from '../router.js';
import { Ask, Badge, Copy, Failed, Facts, Form, Input, Panel, Select, Waiting } from '../parts.js';
import { LocalTable } from '../table.js';
import { bytes, count, duration, exchangeName, moment, pairs, plural, value } from '../format.js';

const PAGE = 20;

/** JSON is shown indented; everything else as it is. */
function pretty(m) {
  if (m.payload_encoding === 'base64') return m.payload;
  try { return JSON.stringify(JSON.parse(m.payload), null, 2); } catch { return m.payload; }
}

const Deaths = ({ of }) => html`<${LocalTable} caption="Where it died" rows=${of} rowKey=${(d) => `${d.queue}${d.reason}`} columns=${[{ key: 'queue', label: 'Died in' }, { key: 'reason', label: 'Because' }, { key: 'count', label: 'Times', num: true }, { key: 'exchange', label: 'Published to', render: (d) => exchangeName(d.exchange ?? '') }, { key: 'routing-keys', label: 'With key', render: (d) => (d['routing-keys'] ?? []).join(', ') }]} />`;

function Message({ m, at, picked, onPick }) {
  const { headers, ...properties } = m.properties ?? {};
  const { 'x-death': deaths, ...rest } = headers ?? {};
  const cut = m.payload !== undefined && m.payload_encoding === 'string' && m.payload_bytes > new TextEncoder().encode(m.payload).length;
  return html`<article class="message" aria-label=${`Message ${at}`}>
    <header>${onPick && html`<input type="checkbox" aria-label=${`Select message ${at}`} checked=${picked} onChange=${onPick} />`}<strong>#${at}</strong>
      <span>${exchangeName(m.exchange ?? '')} → <code>${m.routing_key}</code></span><span class="idle">${bytes(m.payload_bytes)}</span>
      ${properties.delivery_mode === 2 && html`<${Badge} title="written to disk">persistent<//>`}${m.redelivered && html`<${Badge} kind="warn" title="was delivered before">redelivered<//>`}
      ${properties.timestamp && html`<span class="idle">${moment(properties.timestamp * 1000)}</span>`}
      <span class="grow"></span><${Copy} text=${m.payload} label="Copy payload" /></header>
    <div class="body"><pre tabindex="0" aria-label="Payload">${pretty(m)}</pre>
      ${m.payload_encoding === 'base64' && html`<p class="hint">Not text: shown in base64.</p>`}${cut && html`<p class="hint">Cut: ${bytes(m.payload_bytes)} in all.</p>`}
      ${deaths?.length > 0 && html`<div><h3>Dead letter</h3><${Deaths} of=${deaths} /></div>`}
      ${(Object.keys(properties).length > 0 || Object.keys(rest).length > 0) && html`<details open=${Object.keys(rest).length > 0}><summary>Properties and headers</summary><${Facts} of=${[...Object.entries(properties), ...Object.entries(rest).map(([k, v]) => [html`<span class="mono">${k}</span>`, value(v)])].map(([k, v]) => [k, typeof v === 'object' && !v?.type && v !== null && !v.props ? pairs(v) : String(v)])} /></details>`}
    </div></article>`;
}

/** Non-destructive: what a queue holds, from a position on, narrowed by text. */
function Peek({ q, refresh }) {
  const [offset, setOffset] = useState(0);
  const [text, setText] = useState('');
  const [state, setState] = useState({});
  const [picked, setPicked] = useState(new Set());
  const load = async (signal) => {
    try {
      setState({ answer: await peek(q.vhost, q.name, { offset, count: PAGE, signal }) });
      setPicked(new Set());
    } catch (error) {
      if (error.name !== 'AbortError') setState({ error });
    }
  };
  useEffect(() => { const control = new AbortController(); load(control.signal); return () => control.abort(); }, [offset, q.vhost, q.name]);
  // What came or went shows by itself, unless the reader is about to do something with what is shown.
  useEffect(() => { if (state.answer && picked.size === 0) load(); }, [q.messages_ready]);
  const at = (m, i) => m.position ?? offset + i;
  const items = state.answer?.items ?? [];
  const total = state.answer?.total ?? q.messages_ready ?? items.length;
  const found = items.map((m, i) => ({ m, at: at(m, i) })).filter(({ m }) => !text || `${m.payload} ${m.routing_key} ${JSON.stringify(m.properties)}`.toLowerCase().includes(text.toLowerCase()));
  const order = () => [...picked].sort((a, b) => a - b);
  const toggle = (n) => setPicked((before) => { const next = new Set(before); if (!next.delete(n)) next.add(n); return next; });
  return html`<${Panel} title="Look inside" count="nothing is taken" actions=${html`<button type="button" class="button small" onClick=${() => load()}>Look again</button>`}>
    <${Failed} error=${state.error} />
    <div class="flow"><label><span class="hidden-text">Search in these messages</span><input type="search" placeholder="Search in these messages" value=${text} onInput=${(e) => setText(e.target.value)} /></label>
      <span class="hint" role="status">${state.answer ? (items.length ? `positions ${count(at(items[0], 0))} to ${count(at(items.at(-1), items.length - 1))} of ${count(total)}` : 'The queue is empty.') : ''}</span><span class="grow"></span>
      <button type="button" class="button small" disabled=${offset === 0} onClick=${() => setOffset(Math.max(0, offset - PAGE))}>Previous</button>
      <button type="button" class="button small" disabled=${offset + PAGE >= total} onClick=${() => setOffset(offset + PAGE)}>Next</button>
      ${picked.size > 0 && html`<${Ask} small label=${`Send ${picked.size} to the back`} title=${`Send ${plural(picked.size, 'message')} to the back?`} submit="Send to the back" act=${async () => { await requeueAt(q.vhost, q.name, order()); await load(); refresh(); return 'They are the last now.'; }}><p>They leave their places and are delivered after everything else.</p><//><${Ask} small danger label=${`Delete ${picked.size}`} title=${`Delete ${plural(picked.size, 'message')}?`} submit="Delete them" act=${async () => { await removeAt(q.vhost, q.name, order()); await load(); refresh(); return 'Deleted.'; }}><p>They cannot be brought back.</p><//>`}</div>
    <div class="stack">${found.map(({ m, at: n }) => html`<${Message} key=${n} m=${m} at=${n} picked=${picked.has(n)} onPick=${() => toggle(n)} />`)}</div>
  <//>`;
}

const MODES = [['ack_requeue_true', 'Put back (flagged redelivered)'], ['ack_requeue_false', 'Take: they leave the queue'], ['reject_requeue_true', 'Reject, put back'], ['reject_requeue_false', 'Reject: dropped or dead-lettered']];

/** RabbitMQ's "get messages", which takes or disturbs. */
function Get({ q, refresh }) {
  const [taken, setTaken] = useState(null);
  return html`<${Panel} title="Get messages" count="takes them out, or returns them flagged">
    <${Form} submit="Get" onSubmit=${async (form) => {
    setTaken(await post(path`queues/${q.vhost}/${q.name}/get`, { count: Number(form.get('count')), ackmode: form.get('ackmode'), encoding: form.get('encoding'), truncate: 50000 }));
    refresh();
  }}><div class="row"><${Select} label="Afterwards" name="ackmode" options=${MODES} /><${Input} label="How many" name="count" type="number" min="1" max="1000" value="1" /><${Select} label="Show as" name="encoding" options=${[['auto', 'text where it is'], ['base64', 'base64']]} /></div><//>
    ${taken && html`<p class="hint" role="status">${taken.length ? `Got ${plural(taken.length, 'message')}.` : 'The queue is empty.'}</p><div class="stack">${taken.map((m, i) => html`<${Message} key=${i} m=${m} at=${i + 1} />`)}</div>`}
  <//>`;
}

export const Messages = ({ q, refresh }) => html`<${Peek} q=${q} refresh=${refresh} /><${Get} q=${q} refresh=${refresh} />`;

/** Deliveries that a consumer holds, oldest first. */
export function Unacked({ q }) {
  const live = useLive(unackedPath(q.vhost, q.name));
  return html`<${Panel} title="Unacknowledged deliveries" count=${count(q.messages_unacknowledged ?? 0)}><${Waiting} live=${live}>${(answer) => {
    const list = Array.isArray(answer) ? answer : answer.items ?? [];
    return html`<${LocalTable} caption="Unacknowledged deliveries" rows=${list} rowKey=${(d) => `${d.channel_details?.name ?? d.channel} ${d.delivery_tag} ${d.position}`} empty="Nobody holds messages of this queue." columns=${[
      { key: 'age_ms', label: 'Held for', sort: 'age_ms', num: true, render: (d) => duration(d.age_ms) },
      { key: 'channel', label: 'Channel', className: 'name', render: (d) => { const name = d.channel_details?.name; return name ? html`<a href=${to.channel(name)}>${name}</a>` : ''; } },
      { key: 'consumer_tag', label: 'Consumer', sort: 'consumer_tag', className: 'name' },
      { key: 'delivery_tag', label: 'Delivery tag', sort: 'delivery_tag', num: true },
      { key: 'redelivered', label: 'Delivered before', render: (d) => (d.redelivered ? 'yes' : 'no') },
    ]} />`;
  }}<//><//>`;
}
