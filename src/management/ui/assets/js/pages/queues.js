// All queues: searched, sorted, filtered and paged by the broker.

import { html, useRef } from '../lib.js';
import { path, put, del } from '../api.js';
import { useCell, to, go, useRoute } from '../router.js';
import { Ask, Badge, Check, Head, Input, Select, complain, say } from '../parts.js';
import { Args, QUEUE_HINTS, tableOf, useRows } from '../args.js';
import { PagedList } from '../table.js';
import { Findings, queueFindings, worst } from '../health.js';
import { brief, bytes, count, get, pairs, percent, plural, rate, statRate, ago } from '../format.js';
import { user, vhosts } from '../session.js';

const CHIPS = [
  { id: 'nonempty', label: 'Not empty', title: 'Queues that hold messages' },
  { id: 'unconsumed', label: 'No consumers', title: 'Queues that nobody consumes from' },
  { id: 'growing', label: 'Growing', title: 'Queues that hold more than five seconds ago' },
];

const short = [['auto_delete', 'AD', 'deleted when its last consumer leaves'], ['exclusive', 'Excl', 'belongs to one connection']];
const known = [['x-message-ttl', 'TTL'], ['x-expires', 'Exp'], ['x-max-length', 'Lim'], ['x-max-length-bytes', 'Lim B'], ['x-dead-letter-exchange', 'DLX'], ['x-dead-letter-routing-key', 'DLK'], ['x-max-priority', 'Pri'], ['x-single-active-consumer', 'SAC'], ['x-overflow', 'Ovfl']];

/** What a queue is, in badges. */
export const Features = ({ q }) => html`<span class="badges">
  ${q.type && q.type !== 'classic' && html`<${Badge} kind="accent">${q.type}<//>`}
  <${Badge} title=${q.durable ? 'durable: survives a restart' : 'transient: gone after a restart'}>${q.durable ? 'D' : 'transient'}<//>
  ${short.filter(([key]) => q[key]).map(([key, text, title]) => html`<${Badge} key=${key} title=${title}>${text}<//>`)}
  ${known.filter(([key]) => q.arguments?.[key] !== undefined).map(([key, text]) => html`<${Badge} key=${key} title=${`${key} = ${q.arguments[key]}`}>${text}<//>`)}
  ${q.policy && html`<${Badge} kind="accent" title=${`policy ${q.policy}: ${pairs(q.effective_policy_definition)}`}>${q.policy}<//>`}
  ${q.operator_policy && html`<${Badge} kind="accent" title="operator policy">op: ${q.operator_policy}<//>`}
</span>`;

const columns = (withVhost) => [
  ...(withVhost ? [{ key: 'vhost', label: 'Virtual host', sort: 'vhost' }] : []),
  { key: 'name', label: 'Name', sort: 'name', fixed: true, className: 'name', render: (q) => html`<a href=${to.queue(q.vhost, q.name)}>${q.name}</a>` },
  { key: 'features', label: 'Features', className: 'roomy', render: (q) => html`<${Features} q=${q} />` },
  { key: 'findings', label: 'Findings', render: (q) => html`<${Findings} of=${queueFindings(q)} />` },
  { key: 'ready', label: 'Ready', num: true, sort: 'messages_ready', render: (q) => brief(q.messages_ready) },
  { key: 'unacked', label: 'Unacked', num: true, sort: 'messages_unacknowledged', render: (q) => brief(q.messages_unacknowledged) },
  { key: 'messages', label: 'Total', num: true, sort: 'messages', render: (q) => brief(q.messages) },
  { key: 'change', label: 'Change', num: true, sort: 'messages_details.rate', render: (q) => rate(q.messages_details?.rate) },
  { key: 'in', label: 'In', num: true, sort: 'message_stats.publish_details.rate', render: (q) => rate(statRate(q, 'publish') ?? 0) },
  { key: 'out', label: 'Deliver', num: true, sort: 'message_stats.deliver_get_details.rate', render: (q) => rate(statRate(q, 'deliver_get') ?? 0) },
  { key: 'ack', label: 'Ack', num: true, sort: 'message_stats.ack_details.rate', render: (q) => rate(statRate(q, 'ack') ?? 0) },
  { key: 'consumers', label: 'Consumers', num: true, sort: 'consumers' },
  { key: 'state', label: 'State', sort: 'state', render: (q) => (q.idle_since && q.state === 'running' ? html`<span class="idle" title=${`idle for ${ago(q.idle_since)}`}>idle</span>` : q.state) },
  { key: 'bytes', label: 'Message bytes', num: true, sort: 'message_bytes', optional: true, render: (q) => bytes(q.message_bytes) },
  { key: 'capacity', label: 'Consumer capacity', num: true, sort: 'consumer_capacity', optional: true, render: (q) => percent(q.consumer_capacity ?? 0, 1) },
  { key: 'redeliver', label: 'Redelivered', num: true, sort: 'message_stats.redeliver_details.rate', optional: true, render: (q) => rate(statRate(q, 'redeliver') ?? 0) },
  { key: 'persistent', label: 'Persistent', num: true, sort: 'messages_persistent', optional: true, render: (q) => count(q.messages_persistent) },
  { key: 'memory', label: 'Memory', num: true, sort: 'memory', optional: true, render: (q) => bytes(q.memory) },
];

const NEEDED = 'name,vhost,type,durable,auto_delete,exclusive,arguments,policy,operator_policy,effective_policy_definition,state,idle_since,consumers,consumer_capacity,memory,message_bytes,messages,messages_ready,messages_unacknowledged,messages_persistent,messages_details.rate,message_stats.publish_details.rate,message_stats.deliver_get_details.rate,message_stats.ack_details.rate,message_stats.redeliver_details.rate';

function AddQueue({ onDone }) {
  const list = useCell(vhosts);
  const [rows, setRows] = useRows({});
  const { query } = useRoute();
  const act = async (form) => {
    const vhost = form.get('vhost');
    const name = form.get('name').trim();
    const args = tableOf(rows);
    const type = form.get('type');
    if (type !== 'classic') args['x-queue-type'] = type;
    await put(path`queues/${vhost}/${name}`, { durable: form.get('durable') === 'true', auto_delete: form.get('auto_delete') === 'on', arguments: args });
    onDone();
    if (form.get('open') === 'on') go(to.queue(vhost, name));
    return `Queue ${name} is there.`;
  };
  return html`<${Ask} label="Add queue" title="Add a queue" submit="Add" kind="main" act=${act}>
    <${Input} label="Name" name="name" required autofocus maxlength="255" />
    <div class="row">
      <${Select} label="Virtual host" name="vhost" options=${list} value=${query.get('vhost') || list[0]} />
      <${Select} label="Type" name="type" options=${[['classic', 'Classic'], ['quorum', 'Quorum']]} />
      <${Select} label="Durability" name="durable" options=${[['true', 'Durable'], ['false', 'Transient']]} />
    </div>
    <${Check} label="Delete when its last consumer leaves" name="auto_delete" />
    <${Args} label="Arguments" rows=${rows} setRows=${setRows} hints=${QUEUE_HINTS} />
    <${Check} label="Open the queue's page" name="open" checked />
  <//>`;
}

async function forAll(queues, done, verb, each) {
  let worked = 0;
  for (const q of queues) {
    try { await each(q); worked += 1; } catch (error) { error.message = `${q.name}: ${error.message}`; complain(error); }
  }
  done();
  if (worked) say(`${verb} ${plural(worked, 'queue')}.`);
}

const Bulk = (chosen, done) => html`
  <${Ask} small danger label="Purge" submit="Purge them" title=${`Purge ${plural(chosen.length, 'queue')}?`} act=${() => forAll(chosen, done, 'Purged', (q) => del(path`queues/${q.vhost}/${q.name}/contents`))}>
    <p>All ready messages (${count(chosen.reduce((n, q) => n + (q.messages_ready ?? 0), 0))}) are deleted. They cannot be brought back.</p><//>
  <${Ask} small danger label="Delete" submit="Delete them" title=${`Delete ${plural(chosen.length, 'queue')}?`} act=${() => forAll(chosen, done, 'Deleted', (q) => del(path`queues/${q.vhost}/${q.name}`))}>
    <p>The queues, their bindings and ${count(chosen.reduce((n, q) => n + (q.messages ?? 0), 0))} messages are deleted.</p><//>`;

export function Queues() {
  useCell(user);
  const many = useCell(vhosts).length > 1;
  const refresh = useRef(() => {});
  return html`<${Head} title="Queues"><${AddQueue} onDone=${() => refresh.current()} /><//>
    <${PagedList} name="queues" resource="queues" columns=${columns(many)} rowKey=${(q) => `${q.vhost}/${q.name}`} rowClass=${(q) => `hurt-${worst(queueFindings(q))}`}
      sort="messages" down chips=${CHIPS} extra=${{ columns: NEEDED }} empty="There are no queues yet. Add one, or let an application declare it." bulk=${Bulk} refreshRef=${refresh} />`;
}
