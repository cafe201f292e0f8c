// One queue: what it does, what is in it, who takes from it, and what can be done.

import { html, useState } from '../lib.js';
import { del, path } from '../api.js';
import { useLive } from '../live.js';
import { go, link, to, useRoute } from '../router.js';
import { Ask, Badge, Check, Copy, Facts, Head, Panel, Tabs, Waiting, When } from '../parts.js';
import { LineChart, RANGES, levels, rangeQuery, rates } from '../chart.js';
import { queueFindings, Verdict } from '../health.js';
import { LocalTable } from '../table.js';
import { Features } from './queues.js';
import { Bindings } from './bindings.js';
import { PublishForm } from './publish.js';
import { Messages, Unacked } from './messages.js';
import { Redrive } from './redrive.js';
import { ago, bytes, count, get, pairs, percent, plural, rate } from '../format.js';
import { isPolicymaker } from '../session.js';

const TABS = [['overview', 'Overview'], ['messages', 'Messages'], ['unacked', 'Unacknowledged'], ['consumers', 'Consumers'], ['bindings', 'Bindings'], ['publish', 'Publish'], ['settings', 'Settings']];
const RATES = [['publish', 'Publish'], ['deliver', 'Deliver'], ['deliver_no_ack', 'Deliver (auto ack)'], ['get', 'Get'], ['ack', 'Acknowledge'], ['redeliver', 'Redeliver']];

function Charts({ q, range, setRange }) {
  return html`<div class="range"><label class="check">Charts show <select value=${range} onChange=${(e) => setRange(e.target.value)}>${RANGES.slice(0, 3).map((r) => html`<option key=${r.id} value=${r.id}>${r.label}</option>`)}</select></label></div>
  <div class="grid2">
    <${Panel} title="Messages in the queue"><${LineChart} label=${`Messages in ${q.name}`} series=${[
      { label: 'Ready', points: levels(q.messages_ready_details), area: true },
      { label: 'Unacknowledged', points: levels(q.messages_unacknowledged_details) },
      { label: 'Total', points: levels(q.messages_details) },
    ]} /><//>
    <${Panel} title="Message rates"><${LineChart} label=${`Message rates of ${q.name} a second`} show=${(n) => rate(n)} series=${RATES.map(([key, label], i) => ({ label, colour: i + 1, points: rates(q.message_stats?.[`${key}_details`]) })).filter((s) => s.points.length)} /><//>
  </div>`;
}

function Tiles({ q }) {
  const tile = (label, value, more, kind = '') => html`<div class=${`tile ${kind}`}><div class="label">${label}</div><div class="value">${value}</div><div class="more">${more}</div></div>`;
  const out = get(q, 'message_stats.deliver_get_details.rate') ?? 0;
  return html`<div class="tiles">
    ${tile('Ready', count(q.messages_ready ?? 0), bytes(q.message_bytes_ready))}
    ${tile('Unacknowledged', count(q.messages_unacknowledged ?? 0), bytes(q.message_bytes_unacknowledged))}
    ${tile('Published', rate(get(q, 'message_stats.publish_details.rate') ?? 0), `${count(get(q, 'message_stats.publish') ?? 0)} in all`)}
    ${tile('Delivered', rate(out), `${count(get(q, 'message_stats.deliver_get') ?? 0)} in all`)}
    ${tile('Consumers', count(q.consumers ?? 0), q.consumers ? `capacity ${percent(q.consumer_capacity ?? q.consumer_utilisation ?? 0, 1)}` : 'nobody', q.consumers ? '' : q.messages_ready ? 'warn' : '')}
  </div>`;
}

function About({ q }) {
  return html`<div class="grid2"><${Panel} title="What it is"><${Facts} of=${[
    ['Virtual host', html`<a href=${to.vhost(q.vhost)}>${q.vhost}</a>`], ['Type', q.type], ['State', q.state], ['Idle since', q.idle_since && html`${ago(q.idle_since)} (<${When} at=${q.idle_since} />)`],
    ['Durable', q.durable ? 'yes' : 'no, gone after a restart'], ['Deleted with its last consumer', q.auto_delete ? 'yes' : 'no'],
    ['Exclusive to', q.owner_pid_details && html`<a href=${to.connection(q.owner_pid_details.name)}>${q.owner_pid_details.name}</a>`],
    ['Active consumer', q.single_active_consumer_tag], ['Node', q.node && html`<a href=${to.node(q.node)}>${q.node}</a>`],
    ['Arguments', pairs(q.arguments) || 'none'],
    ['Policy', q.policy ? html`<a href=${to.policy(q.vhost, q.policy)}>${q.policy}</a>` : 'none'], ['Operator policy', q.operator_policy],
    ['In effect by policy', pairs(q.effective_policy_definition)],
  ]} /><//>
  <${Panel} title="What it holds"><${LocalTable} caption="Messages and octets" rowKey=${(r) => r.label} rows=${[
    { label: 'Total', n: q.messages, b: q.message_bytes }, { label: 'Ready', n: q.messages_ready, b: q.message_bytes_ready }, { label: 'Unacknowledged', n: q.messages_unacknowledged, b: q.message_bytes_unacknowledged },
    { label: 'In memory', n: q.messages_ram, b: q.message_bytes_ram }, { label: 'Persistent', n: q.messages_persistent, b: q.message_bytes_persistent }, { label: 'Paged out', n: q.messages_paged_out, b: q.message_bytes_paged_out },
  ]} columns=${[{ key: 'label', label: '' }, { key: 'n', label: 'Messages', num: true, render: (r) => count(r.n) }, { key: 'b', label: 'Bodies', num: true, render: (r) => bytes(r.b) }]} />
  <p class="hint">Memory in use: ${bytes(q.memory)}</p><//></div>`;
}

function Consumers({ q }) {
  return html`<${Panel} title="Consumers" count=${count(q.consumer_details?.length ?? q.consumers)}><${LocalTable} caption="Consumers" rows=${q.consumer_details ?? []} rowKey=${(c) => `${c.channel_details?.name} ${c.consumer_tag}`}
    empty="Nobody consumes from this queue." columns=${[
    { key: 'channel', label: 'Channel', className: 'name', render: (c) => html`<a href=${to.channel(c.channel_details?.name ?? '')}>${c.channel_details?.name}</a>` },
    { key: 'consumer_tag', label: 'Consumer tag', className: 'name' },
    { key: 'ack_required', label: 'Acknowledges', render: (c) => (c.ack_required ? 'yes' : 'no') },
    { key: 'prefetch_count', label: 'Prefetch', num: true, render: (c) => (c.prefetch_count === 0 ? 'no limit' : count(c.prefetch_count)) },
    { key: 'exclusive', label: 'Exclusive', render: (c) => (c.exclusive ? 'yes' : 'no') },
    { key: 'active', label: 'Active', render: (c) => (c.active === false ? html`<${Badge}>waiting<//>` : html`<${Badge} kind="good">active<//>`) },
    { key: 'arguments', label: 'Arguments', render: (c) => pairs(c.arguments) },
  ]} /><//>`;
}

function Delete({ q }) {
  return html`<${Ask} label="Delete" danger title=${`Delete ${q.name}?`} submit="Delete the queue" act=${async (form) => {
    const conditions = ['if-empty', 'if-unused'].filter((c) => form.get(c) === 'on').map((c) => `${c}=true`).join('&');
    await del(path`queues/${q.vhost}/${q.name}` + (conditions ? `?${conditions}` : ''));
    go(link(['queues']));
    return `Queue ${q.name} is deleted.`;
  }}>
    <p>The queue goes with its bindings and ${plural(q.messages ?? 0, 'message')}${q.consumers ? `; ${plural(q.consumers, 'consumer')} are cancelled` : ''}. This cannot be undone.</p>
    <${Check} label="Only if it is empty" name="if-empty" /><${Check} label="Only if nobody consumes" name="if-unused" />
  <//>`;
}

function Actions({ q, refresh }) {
  return html`
    <${Ask} label="Purge" danger title=${`Purge ${q.name}?`} submit="Delete the ready messages" disabled=${!q.messages_ready} act=${async () => {
    await del(path`queues/${q.vhost}/${q.name}/contents`);
    refresh();
    return `Queue ${q.name} is purged.`;
  }}><p>${plural(q.messages_ready ?? 0, 'ready message')} will be deleted. What consumers hold unacknowledged (${count(q.messages_unacknowledged ?? 0)}) stays.</p><//>
    <${Delete} q=${q} />`;
}

/** What the operator's tool and curl would do for this page. */
function Elsewhere({ q }) {
  const api = new URL(path`api/queues/${q.vhost}/${q.name}`, document.baseURI).href;
  const quoted = (s) => `'${s.replaceAll("'", "'\\''")}'`;
  const lines = [`curl -u USER ${quoted(api)}`, `leveretctl list_queues -p ${quoted(q.vhost)} name messages consumers`, `leveretctl purge_queue -p ${quoted(q.vhost)} ${quoted(q.name)}`];
  return html`<${Panel} title="From a shell">${lines.map((line) => html`<div class="flow" key=${line}><code>${line}</code><${Copy} text=${line} /></div>`)}<//>`;
}

function PolicyHint({ q }) {
  if (!isPolicymaker()) return null;
  const pattern = `^${q.name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`;
  return html`<${Panel} title="Change its settings"><p>A queue's arguments stay as they were declared. Limits, TTL and dead-lettering can be set at any time by a policy.</p>
    <a class="button" href=${link(['policies'], { vhost: q.vhost, pattern, add: '1' })}>Add a policy for this queue</a><//>`;
}

export function Queue({ names: [vhost, name] }) {
  const { query } = useRoute();
  const tab = query.get('tab') ?? 'overview';
  const [range, setRange] = useState('60');
  const live = useLive(path`queues/${vhost}/${name}` + `?${rangeQuery(range, ['lengths', 'msg_rates', 'data_rates'])}`);
  const q = live.data && { vhost, name, ...live.data };
  return html`<${Head} title=${name} crumbs=${[['Queues', link(['queues'])], [vhost, link(['queues'], { vhost })]]} badges=${q && html`<${Features} q=${q} />`}>
    ${q && html`<${Redrive} q=${q} /><${Actions} q=${q} refresh=${live.refresh} />`}
  <//>
  <${Waiting} live=${live}>${() => html`
    <${Tabs} label="Parts of the queue" tabs=${TABS} current=${tab} href=${(id) => to.queue(vhost, name, id === 'overview' ? {} : { tab: id })} />
    ${tab === 'overview' && html`<${Verdict} findings=${queueFindings(q)} fine=${q.messages ? 'Consumers keep up' : 'Empty and well'} /><${Tiles} q=${q} /><${Charts} q=${q} range=${range} setRange=${setRange} /><${About} q=${q} />`}
    ${tab === 'messages' && html`<${Messages} q=${q} refresh=${live.refresh} />`}
    ${tab === 'unacked' && html`<${Unacked} q=${q} />`}
    ${tab === 'consumers' && html`<${Consumers} q=${q} />`}
    ${tab === 'bindings' && html`<${Bindings} vhost=${vhost} queue=${name} />`}
    ${tab === 'publish' && html`<${Panel} title="Publish to this queue"><p class="hint">Through the default exchange, whose routing key is the queue's name.</p><${PublishForm} vhost=${vhost} exchange="" routingKey=${name} onDone=${live.refresh} /><//>`}
    ${tab === 'settings' && html`<${About} q=${q} /><${PolicyHint} q=${q} /><${Elsewhere} q=${q} />`}
  `}<//>`;
}
