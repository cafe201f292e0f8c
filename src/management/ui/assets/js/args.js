// Editor of argument tables: queues, exchanges, bindings, policies, message headers.

import { html, useState } from './lib.js';

const TYPES = ['string', 'number', 'boolean', 'list'];

/** What a typed row means; throws with the row's name when it does not fit. */
function parse({ key, value, type }) {
  if (type === 'number') {
    const n = Number(value);
    if (value.trim() === '' || !Number.isFinite(n)) throw new Error(`"${value}" is not a number (argument ${key}).`);
    return n;
  }
  if (type === 'boolean') return value === 'true';
  if (type === 'list') return value.split(',').map((item) => item.trim()).filter(Boolean);
  return value;
}

/** Rows as a table. Rows without a name are left out. */
export const tableOf = (rows) => Object.fromEntries(rows.filter((r) => r.key.trim()).map((r) => [r.key.trim(), parse(r)]));

export function rowsOf(table) {
  return Object.entries(table ?? {}).map(([key, v]) => ({
    key,
    value: Array.isArray(v) ? v.join(', ') : String(v),
    type: Array.isArray(v) ? 'list' : typeof v === 'number' ? 'number' : typeof v === 'boolean' ? 'boolean' : 'string',
  }));
}

/** Keeps the rows: `[rows, setRows]`. */
export const useRows = (table) => useState(() => rowsOf(table));

const blank = { key: '', value: '', type: 'string' };

/** `hints`: `[{ key, type, text, value }]`, offered as buttons that add a row. */
export function Args({ label, rows, setRows, hints = [] }) {
  const set = (at, values) => setRows(rows.map((r, i) => (i === at ? { ...r, ...values } : r)));
  const add = (row) => setRows([...rows.filter((r) => r.key || r.value), row]);
  return html`<fieldset class="args"><legend>${label}</legend>
    ${rows.map((row, i) => html`<div class="arg" key=${i}>
      <input aria-label=${`${label}: name ${i + 1}`} placeholder="name" value=${row.key} onInput=${(e) => set(i, { key: e.target.value })} />
      ${row.type === 'boolean'
    ? html`<select aria-label=${`${label}: value ${i + 1}`} value=${row.value} onChange=${(e) => set(i, { value: e.target.value })}><option value="true">true</option><option value="false">false</option></select>`
    : html`<input aria-label=${`${label}: value ${i + 1}`} placeholder=${row.type === 'list' ? 'a, b, c' : 'value'} value=${row.value} onInput=${(e) => set(i, { value: e.target.value })} />`}
      <select aria-label=${`${label}: type ${i + 1}`} value=${row.type} onChange=${(e) => set(i, { type: e.target.value, value: e.target.value === 'boolean' ? 'true' : row.value })}>
        ${TYPES.map((t) => html`<option key=${t} value=${t}>${t}</option>`)}
      </select>
      <button type="button" class="button small" aria-label=${`Remove ${row.key || `row ${i + 1}`}`} onClick=${() => setRows(rows.filter((_, j) => j !== i))}>✕</button>
    </div>`)}
    <div class="flow">
      <button type="button" class="button small" onClick=${() => add(blank)}>Add argument</button>
      ${hints.map((h) => html`<button type="button" key=${h.key} class="button small plain" title=${`${h.key}${h.text ? `: ${h.text}` : ''}`} disabled=${rows.some((r) => r.key === h.key)}
        onClick=${() => add({ key: h.key, type: h.type ?? 'string', value: h.value ?? '' })}>${h.label}</button>`)}
    </div>
  </fieldset>`;
}

export const QUEUE_HINTS = [
  { key: 'x-message-ttl', type: 'number', label: 'Message TTL', text: 'ms until a message expires' },
  { key: 'x-expires', type: 'number', label: 'Queue expiry', text: 'ms unused until the queue is deleted' },
  { key: 'x-max-length', type: 'number', label: 'Max length', text: 'messages' },
  { key: 'x-max-length-bytes', type: 'number', label: 'Max bytes', text: 'octets of bodies' },
  { key: 'x-overflow', label: 'Overflow', value: 'reject-publish', text: 'drop-head, reject-publish or reject-publish-dlx' },
  { key: 'x-dead-letter-exchange', label: 'Dead-letter exchange' },
  { key: 'x-dead-letter-routing-key', label: 'Dead-letter key' },
  { key: 'x-max-priority', type: 'number', label: 'Priorities', value: '10' },
  { key: 'x-single-active-consumer', type: 'boolean', label: 'Single active consumer', value: 'true' },
  { key: 'x-queue-mode', label: 'Lazy', value: 'lazy' },
];

export const POLICY_HINTS = [
  ...QUEUE_HINTS.filter((h) => !['x-max-priority', 'x-single-active-consumer'].includes(h.key)).map((h) => ({ ...h, key: h.key.slice(2) })),
  { key: 'delivery-limit', type: 'number', label: 'Delivery limit', text: 'returns until a message is dropped or dead-lettered' },
  { key: 'alternate-exchange', label: 'Alternate exchange' },
];

export const OPERATOR_HINTS = POLICY_HINTS.filter((h) => ['message-ttl', 'expires', 'max-length', 'max-length-bytes', 'delivery-limit', 'overflow'].includes(h.key));
