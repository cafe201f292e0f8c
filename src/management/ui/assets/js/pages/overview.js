// What the broker is doing, what hurts first.

import { html, useState } from '../lib.js';
import { useLive } from '../live.js';
import { useCell, link, to } from '../router.js';
import { Badge, Head, Meter, Panel, Waiting } from '../parts.js';
import { LineChart, RANGES, levels, rangeQuery, rates } from '../chart.js';
import { brokerFindings, Findings, queueFindings, Verdict, worst } from '../health.js';
import { brief, bytes, count, duration, get, rate, statRate } from '../format.js';
import { isMonitor, user } from '../session.js';
import { LocalTable } from '../table.js';

const QUEUE_COLUMNS = 'name,vhost,state,consumers,messages,messages_ready,messages_unacknowledged,messages_details.rate,message_stats.deliver_get_details.rate,message_stats.publish_details.rate,message_stats.ack_details.rate,message_stats.redeliver_details.rate,arguments,effective_policy_definition,head_message_timestamp';
const TOPS = [
  ['messages', 'Deepest'],
  ['messages_details.rate', 'Growing fastest'],
  ['message_stats.publish_details.rate', 'Busiest'],
  ['messages_unacknowledged', 'Most unacknowledged'],
];

const TOP = 5;
const top = (sort, n) => `queues?page=1&page_size=${n}&pagination=true&sort=${sort}&sort_reverse=true&columns=${QUEUE_COLUMNS}`;

function Totals({ o }) {
  const t = o.queue_totals ?? {};
  const n = o.object_totals ?? {};
  const tile = (label, value, href, more) => html`<a class="tile" href=${href}><div class="label">${label}</div><div class="value">${value}</div><div class="more">${more}</div></a>`;
  return html`<div class="tiles">
    ${tile('Ready', brief(t.messages_ready ?? 0), link(['queues'], { sort: 'messages_ready', down: '1' }), rate(t.messages_ready_details?.rate ?? 0))}
    ${tile('Unacknowledged', brief(t.messages_unacknowledged ?? 0), link(['queues'], { sort: 'messages_unacknowledged', down: '1' }), rate(t.messages_unacknowledged_details?.rate ?? 0))}
    ${tile('Published', rate(statRate(o, 'publish') ?? 0), link(['exchanges'], { sort: 'message_stats.publish_in_details.rate', down: '1' }), `${brief(get(o, 'message_stats.publish') ?? 0)} in all`)}
    ${tile('Delivered', rate(statRate(o, 'deliver_get') ?? 0), link(['queues'], { sort: 'message_stats.deliver_get_details.rate', down: '1' }), `${brief(get(o, 'message_stats.deliver_get') ?? 0)} in all`)}
    ${tile('Queues', count(n.queues), link(['queues']), `${count(n.exchanges)} exchanges`)}
    ${tile('Connections', count(n.connections), link(['connections']), `${count(n.channels)} channels`)}
    ${tile('Consumers', count(n.consumers), link(['consumers']), '')}
  </div>`;
}

/** `deep` has the deepest already: the broker is not asked twice. */
function TopQueues({ deep }) {
  const [by, setBy] = useState('messages');
  const other = useLive(by === 'messages' ? null : top(by, TOP));
  const live = by === 'messages' ? deep : other;
  const rows = (live.stale ? [] : live.data?.items ?? []).filter((q) => (get(q, by) ?? 0) > 0).slice(0, TOP);
  const most = Math.max(1, ...rows.map((q) => q.messages ?? 0));
  return html`<${Panel} title="Queues to look at">
    <div class="chips" role="group" aria-label="Order">${TOPS.map(([id, text]) => html`<button type="button" class="chip" key=${id} aria-pressed=${id === by} onClick=${() => setBy(id)}>${text}</button>`)}</div>
    <${LocalTable} caption="Top queues" rows=${rows} rowKey=${(q) => `${q.vhost}/${q.name}`} rowClass=${(q) => `hurt-${worst(queueFindings(q))}`} empty="No queue stands out." columns=${[
  { key: 'name', label: 'Queue', className: 'name', render: (q) => html`<a href=${to.queue(q.vhost, q.name)}>${q.name}</a>${q.vhost !== '/' && html` <span class="idle">${q.vhost}</span>`}` },
  { key: 'messages', label: 'Messages', num: true, render: (q) => html`<i class=${`depth ${worst(queueFindings(q))}`} style=${{ width: `${(60 * q.messages) / most}px` }}></i>${brief(q.messages)}` },
  { key: 'change', label: 'Change', num: true, render: (q) => rate(q.messages_details?.rate) },
  { key: 'consumers', label: 'Consumers', num: true },
  { key: 'why', label: 'Findings', render: (q) => html`<${Findings} of=${queueFindings(q)} />` },
]} />
  <//>`;
}

function Nodes({ nodes }) {
  const cell = (part, of, alarm, label, show) => html`${show(part)} <span class="idle">of ${show(of)}</span><${Meter} label=${label} part=${part} of=${of} kind=${alarm ? 'bad' : part > 0.85 * of ? 'warn' : ''} />`;
  return html`<${Panel} title="Nodes" count=${nodes.length}><${LocalTable} caption="Nodes" rows=${nodes} rowKey=${(n) => n.name} columns=${[
    { key: 'name', label: 'Node', render: (n) => html`<a href=${to.node(n.name)}>${n.name}</a>` },
    { key: 'mem', label: 'Memory', render: (n) => html`${cell(n.mem_used, n.mem_limit, n.mem_alarm, 'Memory used of the limit', bytes)}` },
    { key: 'disk', label: 'Disk free', render: (n) => html`${bytes(n.disk_free)} <span class="idle">stops at ${bytes(n.disk_free_limit)}</span> ${n.disk_free_alarm && html`<${Badge} kind="bad">alarm<//>`}` },
    { key: 'fd', label: 'File descriptors', render: (n) => html`${cell(n.fd_used, n.fd_total, false, 'File descriptors used', count)}` },
    { key: 'sockets', label: 'Sockets', render: (n) => html`${cell(n.sockets_used, n.sockets_total, false, 'Sockets used', count)}` },
    { key: 'uptime', label: 'Up for', render: (n) => duration(n.uptime) },
  ]} /><//>`;
}

function Listeners({ o }) {
  return html`<${Panel} title="Listeners" count=${o.listeners?.length}><${LocalTable} caption="Listeners" rows=${o.listeners ?? []} rowKey=${(l) => `${l.protocol}${l.ip_address}${l.port}`} empty="Only administrators see them." columns=${[
    { key: 'protocol', label: 'Protocol' }, { key: 'ip_address', label: 'Address' }, { key: 'port', label: 'Port', num: true },
  ]} /><//>`;
}

const CHURN = [['connection_created', 'Connections opened'], ['connection_closed', 'Connections closed'], ['channel_created', 'Channels opened'], ['channel_closed', 'Channels closed'], ['queue_declared', 'Queues declared'], ['queue_created', 'Queues created'], ['queue_deleted', 'Queues deleted']];

function Churn({ o }) {
  return html`<${Panel} title="Coming and going"><${LocalTable} caption="Churn" rows=${CHURN.map(([key, label]) => ({ label, n: o.churn_rates?.[key], r: o.churn_rates?.[`${key}_details`]?.rate }))} rowKey=${(r) => r.label} columns=${[
    { key: 'label', label: 'What' }, { key: 'n', label: 'In all', num: true, render: (r) => count(r.n) }, { key: 'r', label: 'Now', num: true, render: (r) => rate(r.r) },
  ]} /><//>`;
}

const RATES = [['publish', 'Publish'], ['confirm', 'Confirm'], ['deliver_get', 'Deliver'], ['ack', 'Acknowledge'], ['redeliver', 'Redeliver'], ['drop_unroutable', 'Unroutable']];

/** An answer or an error has come. */
const known = (live) => live.data !== undefined || live.error !== undefined;

export function Overview() {
  useCell(user);
  const [range, setRange] = useState('60');
  const live = useLive(`overview?${rangeQuery(range, ['lengths', 'msg_rates'])}`);
  const nodes = useLive(isMonitor() ? 'nodes' : null);
  const deep = useLive(top('messages', 20));
  // How many in all: more than the deepest may be left alone.
  const lonely = useLive('queues?page=1&page_size=1&pagination=true&only=nonempty,unconsumed&columns=name,messages,consumers');
  const states = useLive('connections?page=1&page_size=100&pagination=true&sort=state&columns=name,state');
  return html`<${Head} title="Overview" />
  <${Waiting} live=${live}>${(o) => {
    const blocked = (states.data?.items ?? []).filter((c) => ['blocked', 'blocking'].includes(c.state));
    const failed = [deep, lonely, states, nodes].find((part) => part.error && part.error.status !== 401);
    const findings = brokerFindings({ failed: failed?.error, overview: o, nodes: nodes.data, blocked, queues: deep.data?.items, unconsumed: lonely.data?.filtered_count });
    return html`
    ${known(deep) && known(lonely) && known(states) && (!isMonitor() || known(nodes))
    ? html`<${Verdict} findings=${findings} fine="All is well: no alarms, nothing blocked, no backlog without consumers" />`
    : html`<section class="panel verdict"><div class="sign" aria-hidden="true">…</div><div><h2>Looking at nodes and queues</h2></div></section>`}
    <${Totals} o=${o} />
    <div class="range"><label class="check">Charts show <select value=${range} onChange=${(e) => setRange(e.target.value)}>${RANGES.map((r) => html`<option key=${r.id} value=${r.id}>${r.label}</option>`)}</select></label></div>
    <div class="grid2">
      <${Panel} title="Queued messages"><${LineChart} label="Queued messages" series=${[
        { label: 'Ready', points: levels(o.queue_totals?.messages_ready_details), area: true },
        { label: 'Unacknowledged', points: levels(o.queue_totals?.messages_unacknowledged_details) },
        { label: 'Total', points: levels(o.queue_totals?.messages_details) },
      ]} /><//>
      <${Panel} title="Message rates"><${LineChart} label="Message rates a second" show=${(n) => rate(n)} series=${RATES.map(([key, label]) => ({ label, points: rates(o.message_stats?.[`${key}_details`]) }))} /><//>
    </div>
    <${TopQueues} deep=${deep} />
    ${nodes.data && html`<${Nodes} nodes=${nodes.data} />`}
    <div class="grid2"><${Listeners} o=${o} /><${Churn} o=${o} /></div>`;
  }}<//>`;
}
