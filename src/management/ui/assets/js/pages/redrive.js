// Sends a queue's messages on: dead letters to where they died, or all of them to another queue.

import { html, useEffect, useState } from '../lib.js';
import { get } from '../api.js';
import { redrive, redrivePath } from '../beyond.js';
import { Dialog, Form, Input, Meter, Select } from '../parts.js';
import { count, plural } from '../format.js';

const ASK_MS = 500;

/** Follows the work until it is done. */
function Progress({ q, started }) {
  const [work, setWork] = useState(started);
  const done = !work || (work.state && work.state !== 'running');
  useEffect(() => {
    if (done) return undefined;
    const timer = setTimeout(() => get(work.id ? `${redrivePath(q.vhost, q.name)}/${encodeURIComponent(work.id)}` : redrivePath(q.vhost, q.name)).then(setWork, () => setWork(null)), ASK_MS);
    return () => clearTimeout(timer);
  }, [work]);
  if (!work) return html`<p role="status">The broker no longer tells of it.</p>`;
  const total = work.total ?? q.messages_ready ?? 0;
  const moved = work.moved ?? work.done ?? 0;
  return html`<div role="status" data-redrive=${work.state ?? 'done'}><p><strong>${{ failed: 'Failed', stopped: 'Stopped' }[work.state] ?? (done ? 'Done' : 'Working')}</strong>: ${count(moved)} of ${count(total)} sent on${work.kept ?? work.skipped ? `, ${count(work.kept ?? work.skipped)} left in place` : ''}${work.failed ? `, ${count(work.failed)} failed` : ''}.${work.error ? ` ${work.error}` : ''}</p><${Meter} part=${moved} of=${total} label="Sent on" /></div>`;
}

export function Redrive({ q }) {
  const [open, setOpen] = useState(false);
  const [to, setTo] = useState('origin');
  const [started, setStarted] = useState(null);
  const close = () => { setOpen(false); setStarted(null); };
  const act = async (form) => {
    const order = { vhost: q.vhost };
    if (to === 'queue') order.to_queue = form.get('queue').trim();
    if (form.get('match')) order.filter = { routing_key: form.get('match') };
    if (form.get('reason')) order.filter = { ...order.filter, reason: form.get('reason') };
    if (form.get('rate')) order.rate = Number(form.get('rate'));
    if (form.get('limit')) order.limit = Number(form.get('limit'));
    setStarted((await redrive(q.vhost, q.name, order)) ?? {});
  };
  return html`<button type="button" class="button" disabled=${!q.messages_ready} aria-haspopup="dialog" onClick=${() => setOpen(true)}>Move or redrive</button>
  ${open && html`<${Dialog} title=${`Send on what is in ${q.name}`} onClose=${close}>
    ${started ? html`<${Progress} q=${q} started=${started} /><div class="buttons"><button type="button" class="button" onClick=${close}>Close</button></div>` : html`
    <p>${plural(q.messages_ready ?? 0, 'ready message')}. Each leaves this queue only once it is in the other.</p>
    <${Form} submit="Start" onSubmit=${act} onCancel=${close}>
      <${Select} label="To" name="to" options=${[['origin', 'Where each one died (dead letters)'], ['queue', 'Another queue']]} value=${to} onChange=${(e) => setTo(e.target.value)} />
      ${to === 'queue' && html`<${Input} label="Queue" name="queue" required hint="in the same virtual host" />`}
      <div class="row"><${Input} label="Only with routing key" name="match" hint="empty: all" /><${Select} label="Only that died because" name="reason" options=${[['', 'any reason'], ['rejected', 'rejected'], ['expired', 'expired'], ['maxlen', 'too many'], ['delivery_limit', 'delivered too often']]} /></div>
      <div class="row"><${Input} label="At most" name="limit" type="number" min="1" hint="messages; empty: all" /><${Input} label="A second" name="rate" type="number" min="1" hint="messages; empty: as fast as it goes" /></div>
    <//>`}
  <//>`}`;
}
