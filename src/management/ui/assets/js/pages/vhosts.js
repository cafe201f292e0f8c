// Virtual hosts: what each does, who may use it.

import { html } from '../lib.js';
import { del, path, put } from '../api.js';
import { useLive } from '../live.js';
import { go, link, to } from '../router.js';
import { Ask, Badge, Facts, Head, Input, Panel, Select, Waiting } from '../parts.js';
import { LocalTable } from '../table.js';
import { LineChart, levels, rangeQuery, rates } from '../chart.js';
import { PermissionTables } from './permissions.js';
import { brief, byteRate, count, get, rate, statRate } from '../format.js';
import { loadVhosts } from '../session.js';

const tagsOf = (v) => (Array.isArray(v.tags) ? v.tags : v.tags ? v.tags.split(',') : []);

function Edit({ vhost, label, title, onDone, kind }) {
  const act = async (form) => {
    const name = vhost?.name ?? form.get('name').trim();
    const type = form.get('type');
    await put(path`vhosts/${name}`, { description: form.get('description'), tags: form.get('tags'), tracing: vhost?.tracing ?? false, ...(type ? { default_queue_type: type } : {}) });
    await loadVhosts();
    onDone();
    return `Virtual host ${name} is ${vhost ? 'changed' : 'there'}.`;
  };
  return html`<${Ask} label=${label} title=${title} submit="Save" kind=${kind} act=${act}>
    ${!vhost && html`<${Input} label="Name" name="name" required autofocus maxlength="255" hint="You get all permissions in it." />`}
    <${Input} label="Description" name="description" value=${vhost?.description ?? ''} /><${Input} label="Tags" name="tags" value=${vhost ? tagsOf(vhost).join(', ') : ''} hint="separated by commas" />
    <${Select} label="Queue type where none is asked for" name="type" options=${[['', 'as the broker'], ['classic', 'classic'], ['quorum', 'quorum']]} value=${vhost?.default_queue_type === 'undefined' ? '' : vhost?.default_queue_type ?? ''} />
  <//>`;
}

export function Vhosts() {
  const live = useLive('vhosts');
  return html`<${Head} title="Virtual hosts"><${Edit} label="Add virtual host" title="Add a virtual host" kind="main" onDone=${live.refresh} /><//>
  <${Waiting} live=${live}>${(list) => html`<section class="panel flush" aria-label="List of virtual hosts"><${LocalTable} caption="Virtual hosts" rows=${list} rowKey=${(v) => v.name} columns=${[
    { key: 'name', label: 'Name', sort: 'name', className: 'name', render: (v) => html`<a href=${to.vhost(v.name)}>${v.name}</a> ${v.tracing && html`<${Badge} kind="warn">tracing<//>`}<div class="idle">${v.description}</div>` },
    { key: 'tags', label: 'Tags', render: (v) => html`<span class="badges">${tagsOf(v).map((t) => html`<${Badge} key=${t}>${t}<//>`)}</span>` },
    { key: 'type', label: 'Default queue type', render: (v) => (v.default_queue_type && v.default_queue_type !== 'undefined' ? v.default_queue_type : 'classic') },
    { key: 'ready', label: 'Ready', num: true, sort: 'messages_ready', render: (v) => brief(v.messages_ready ?? 0) },
    { key: 'unacked', label: 'Unacked', num: true, sort: 'messages_unacknowledged', render: (v) => brief(v.messages_unacknowledged ?? 0) },
    { key: 'publish', label: 'Publish', num: true, sort: 'message_stats.publish_details.rate', render: (v) => rate(statRate(v, 'publish') ?? 0) },
    { key: 'deliver', label: 'Deliver', num: true, sort: 'message_stats.deliver_get_details.rate', render: (v) => rate(statRate(v, 'deliver_get') ?? 0) },
    { key: 'in', label: 'From clients', num: true, sort: 'recv_oct_details.rate', render: (v) => byteRate(v.recv_oct_details?.rate ?? 0) },
    { key: 'out', label: 'To clients', num: true, sort: 'send_oct_details.rate', render: (v) => byteRate(v.send_oct_details?.rate ?? 0) },
  ]} /></section>`}<//>`;
}

export function Vhost({ names: [name] }) {
  const live = useLive(path`vhosts/${name}` + `?${rangeQuery('60', ['lengths', 'msg_rates', 'data_rates'])}`);
  const v = live.data;
  const RATES = [['publish', 'Publish'], ['deliver_get', 'Deliver'], ['ack', 'Acknowledge'], ['redeliver', 'Redeliver']];
  return html`<${Head} title=${name} crumbs=${[['Virtual hosts', link(['vhosts'])]]} badges=${v?.tracing && html`<${Badge} kind="warn">tracing<//>`}>
    ${v && html`<${Edit} vhost=${v} label="Edit" title=${`Edit ${name}`} onDone=${live.refresh} />
    <${Ask} label=${v.tracing ? 'Stop tracing' : 'Trace'} title=${v.tracing ? 'Stop tracing?' : 'Trace this virtual host?'} submit=${v.tracing ? 'Stop' : 'Trace'} act=${async () => { await put(path`vhosts/${name}`, { tracing: !v.tracing, description: v.description ?? '', tags: tagsOf(v).join(',') }); live.refresh(); return v.tracing ? 'Tracing ended.' : 'Tracing.'; }}>
      <p>${v.tracing ? 'Copies are no longer published.' : 'A copy of every message published and delivered goes to the exchange amq.rabbitmq.trace: it costs throughput.'}</p><//>
    <${Ask} label="Delete" danger title=${`Delete virtual host ${name}?`} submit="Delete all of it" act=${async (form) => {
    if (form.get('name') !== name) throw new Error('The name does not match.');
    await del(path`vhosts/${name}`); await loadVhosts(); go(link(['vhosts'])); return `Virtual host ${name} is deleted.`;
  }}><p>Its queues with ${count(v.messages ?? 0)} messages, exchanges, bindings, permissions and policies are deleted, and its connections closed. This cannot be undone.</p><${Input} label=${`Type ${name} to confirm`} name="name" required /><//>`}
  <//>
  <${Waiting} live=${live}>${() => html`<div class="grid2">
    <${Panel} title="Queued messages"><${LineChart} label="Queued messages" series=${[{ label: 'Ready', points: levels(v.messages_ready_details), area: true }, { label: 'Unacknowledged', points: levels(v.messages_unacknowledged_details) }]} /><//>
    <${Panel} title="Message rates"><${LineChart} label="Message rates a second" show=${(n) => rate(n)} series=${RATES.map(([key, label], i) => ({ label, colour: i + 1, points: rates(get(v, `message_stats.${key}_details`)) })).filter((s) => s.points.length)} /><//>
    <${Panel} title="What it is"><${Facts} of=${[['Description', v.description], ['Tags', tagsOf(v).join(', ')], ['Default queue type', v.default_queue_type], ['Messages', count(v.messages ?? 0)], ['State', Object.entries(v.cluster_state ?? {}).map(([n, s]) => `${n}: ${s}`).join(', ')],
    ['See its', html`<a href=${link(['queues'], { vhost: name })}>queues</a>, <a href=${link(['exchanges'], { vhost: name })}>exchanges</a>, <a href=${link(['policies'], { vhost: name })}>policies</a>`]]} /><//>
  </div><${PermissionTables} vhost=${name} />`}<//>`;
}
