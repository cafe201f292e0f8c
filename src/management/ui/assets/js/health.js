// What hurts, and what to do about it: read off the same numbers that the pages show.

import { html } from './lib.js';
import { bytes, count, duration, percent, plural, rate, statRate } from './format.js';
import { Badge } from './parts.js';
import { link, to } from './router.js';

const RANK = { bad: 3, warn: 2, info: 1 };
export const worst = (findings) => findings.reduce((w, f) => (RANK[f.kind] > (RANK[w] ?? 0) ? f.kind : w), '');

/** A backlog below this grows and shrinks with every batch. */
const BACKLOG = 100;

/** What is short for messages that nobody consumes. */
const LONELY = 'no consumers';

const limitOf = (q, name) => {
  const own = q.arguments?.[`x-${name}`];
  const policy = q.effective_policy_definition?.[name];
  return own !== undefined && policy !== undefined ? Math.min(own, policy) : own ?? policy;
};

/** A queue's findings: `[{ kind, short, text, todo }]`. */
export function queueFindings(q) {
  const found = [];
  const note = (kind, short, text, todo) => found.push({ kind, short, text, todo });
  const ready = q.messages_ready ?? q.messages ?? 0;
  const growth = q.messages_details?.rate ?? 0;
  const out = statRate(q, 'deliver_get') ?? 0;
  const acked = statRate(q, 'ack') ?? 0;
  const again = statRate(q, 'redeliver') ?? 0;
  if (q.state && !['running', 'idle', 'flow'].includes(q.state)) note('bad', q.state, `The queue's state is ${q.state}.`, 'See the log for what happened to it.');
  const most = limitOf(q, 'max-length');
  if (most > 0 && ready >= 0.95 * most) {
    const overflow = q.arguments?.['x-overflow'] ?? q.effective_policy_definition?.overflow ?? 'drop-head';
    note('warn', 'full', `${count(ready)} of at most ${count(most)} messages: ${overflow === 'drop-head' ? 'the oldest are dropped' : 'publishes are refused'}.`, 'Consume faster or raise max-length.');
  }
  if (ready > 0 && q.consumers === 0) {
    note(growth > 0 ? 'bad' : 'warn', LONELY, `${plural(ready, 'message')} and nobody consumes${growth > 0 ? `, growing by ${rate(growth)}` : ''}.`, 'Start a consumer, set a TTL, or purge.');
  } else if (growth >= 1 && ready > BACKLOG) {
    note('warn', `growing ${rate(growth)}`, `Grows by ${rate(growth)}: consumers take ${rate(out)}.`, 'Add consumers or look at why they are slow.');
  } else if (ready > BACKLOG && growth <= -1) {
    note('info', `empty in ${duration((ready / -growth) * 1000)}`, `Shrinks by ${rate(-growth)}: empty in about ${duration((ready / -growth) * 1000)}.`);
  }
  if (q.messages_unacknowledged > 0 && q.consumers > 0 && acked === 0 && out === 0 && ready > 0) {
    note('warn', 'stuck', `${plural(q.messages_unacknowledged, 'delivery', 'deliveries')} not acknowledged, and nothing moves.`, 'Consumers may hang. See the tab Unacknowledged for who holds what, and for how long.');
  }
  if (again > 1 && again > 0.2 * out) note('warn', 'redelivers', `${percent(again, out)} of the deliveries are repeated.`, 'A consumer rejects or dies on these messages. Set a delivery limit and a dead-letter exchange.');
  return found;
}

export const Findings = ({ of }) => html`<span class="badges">${of.map((f) => html`<${Badge} key=${f.short} kind=${f.kind === 'info' ? 'accent' : f.kind} title=${[f.text, f.todo].filter(Boolean).join(' ')}>${f.short}<//>`)}</span>`;

function nodeFindings(n) {
  const found = [];
  const note = (kind, text, todo) => found.push({ kind, text, todo, href: to.node(n.name) });
  if (n.running === false) { note('bad', `Node ${n.name} is down.`, 'Start it.'); return found; }
  if (n.mem_alarm) note('bad', `Memory alarm on ${n.name}: publishers are blocked (${bytes(n.mem_used)} of ${bytes(n.mem_limit)}).`, 'Consume or purge the deepest queues, or raise vm_memory_high_watermark.');
  else if (n.mem_limit > 0 && n.mem_used > 0.85 * n.mem_limit) note('warn', `${n.name} uses ${percent(n.mem_used, n.mem_limit)} of its memory limit.`, 'At the limit publishers are blocked.');
  if (n.disk_free_alarm) note('bad', `Disk alarm on ${n.name}: publishers are blocked (${bytes(n.disk_free)} free).`, 'Free space on the data volume, or move the data.');
  else if (typeof n.disk_free === 'number' && n.disk_free_limit > 0 && n.disk_free < 2 * n.disk_free_limit) note('warn', `${n.name} has ${bytes(n.disk_free)} of disk left.`, `Below ${bytes(n.disk_free_limit)} publishers are blocked.`);
  if (n.fd_total > 0 && n.fd_used > 0.85 * n.fd_total) note('warn', `${n.name} uses ${percent(n.fd_used, n.fd_total)} of its file descriptors.`, 'Raise LimitNOFILE, or look for connections that leak.');
  if (n.sockets_total > 0 && n.sockets_used > 0.85 * n.sockets_total) note('warn', `${n.name} uses ${percent(n.sockets_used, n.sockets_total)} of its sockets.`, 'Raise LimitNOFILE, or look for connections that leak.');
  if (n.partitions?.length) note('bad', `${n.name} does not see ${n.partitions.join(', ')}.`, 'Check the network between the nodes.');
  return found;
}

/** The same finding of this many queues is said once. */
const SAME = 3;

/** The queues that nobody consumes from: the worst of those at hand, and how many others there are in all. */
function lonely(same, all) {
  if (!same.length && !all) return [];
  const growing = same.filter(({ f }) => f.kind === 'bad');
  const first = (growing.length ? growing : same)[0];
  const others = Math.max(same.length, all) - (first ? 1 : 0);
  const names = same.filter((x) => x !== first).slice(0, 4).map((x) => x.q.name);
  return [
    ...(first ? [{ ...first.f, text: `${first.q.name}: ${first.f.text}`, href: to.queue(first.q.vhost, first.q.name) }] : []),
    ...(others ? [{ kind: growing.length > 1 ? 'bad' : 'warn', text: `${plural(others, first ? 'more queue' : 'queue')} with messages and without consumers${names.length ? `: ${names.join(', ')}${others > names.length ? ', …' : ''}` : '.'}`, todo: '', href: link(['queues'], { sort: 'messages', down: '1', only: 'nonempty,unconsumed' }) }] : []),
  ];
}

/** Findings of queues; what several have in common is one line. */
function together(queues, unconsumed) {
  const byKind = new Map();
  for (const q of queues) {
    for (const f of queueFindings(q).filter((each) => each.kind !== 'info')) {
      const key = f.short === LONELY ? LONELY : `${f.kind} ${f.short.split(' ')[0]}`;
      byKind.set(key, [...(byKind.get(key) ?? []), { q, f }]);
    }
  }
  const alone = byKind.get(LONELY) ?? [];
  byKind.delete(LONELY);
  return [...lonely(alone, unconsumed), ...[...byKind.values()].flatMap((same) => {
    const single = ({ q, f }) => ({ ...f, text: `${q.name}: ${f.text}`, href: to.queue(q.vhost, q.name) });
    if (same.length < SAME) return same.map(single);
    const deepest = same.reduce((a, b) => ((b.q.messages ?? 0) > (a.q.messages ?? 0) ? b : a));
    return [single(deepest), { ...deepest.f, text: `${plural(same.length - 1, 'more queue')} with the same: ${same.filter((x) => x !== deepest).slice(0, 4).map((x) => x.q.name).join(', ')}${same.length > 5 ? ', …' : ''}`, todo: '', href: link(['queues'], { sort: 'messages', down: '1' }) }];
  })];
}

/** The whole broker's findings, worst first. */
export function brokerFindings({ overview, nodes, blocked, queues, unconsumed = 0, failed }) {
  const found = (nodes ?? []).flatMap(nodeFindings);
  if (failed) found.push({ kind: 'warn', text: `Not everything is known: ${failed.message}`, todo: failed.advice });
  if (blocked?.length) {
    found.push({ kind: 'warn', text: `${plural(blocked.length, 'connection')} blocked by an alarm.`, todo: 'They go on by themselves when it ends.', href: link(['connections'], { sort: 'state' }) });
  }
  const lost = statRate(overview ?? {}, 'drop_unroutable') ?? 0;
  const returned = statRate(overview ?? {}, 'return_unroutable') ?? 0;
  if (lost > 0) found.push({ kind: 'warn', text: `${rate(lost)} messages match no queue and are dropped.`, todo: 'Look for a missing binding (Exchanges, routing test), or set an alternate exchange.', href: link(['exchanges'], { sort: 'message_stats.publish_in_details.rate', down: '1' }) });
  if (returned > 0) found.push({ kind: 'warn', text: `${rate(returned)} messages match no queue and are returned to their publishers.`, todo: 'Look for a missing binding.', href: link(['exchanges']) });
  found.push(...together(queues ?? [], unconsumed));
  return found.sort((a, b) => RANK[b.kind] - RANK[a.kind]);
}

const SIGN = { bad: '!', warn: '!', '': '✓' };
const MOST = 6;

/** The verdict, said first and in words. */
export function Verdict({ findings, fine, bad = 'Something needs you now', warn = 'Works, with something to look at' }) {
  const kind = worst(findings.filter((f) => f.kind !== 'info'));
  return html`<section class=${`panel verdict ${kind}`} aria-label="Health" data-verdict=${kind || 'good'}>
    <div class="sign" aria-hidden="true">${SIGN[kind]}</div>
    <div><h2>${kind === 'bad' ? bad : kind === 'warn' ? warn : fine}</h2>
      <ul class="findings">${findings.slice(0, MOST).map((f) => html`<li key=${f.text}>
        <${Badge} kind=${f.kind === 'info' ? 'accent' : f.kind}>${{ bad: 'critical', warn: 'warning', info: 'note' }[f.kind]}<//>
        ${f.href ? html`<a href=${f.href}>${f.text}</a>` : html`<span>${f.text}</span>`}
        ${f.todo && html`<span class="todo">${f.todo}</span>`}</li>`)}
        ${findings.length > MOST && html`<li class="todo">and ${findings.length - MOST} more</li>`}
      </ul></div></section>`;
}
