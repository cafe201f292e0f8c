// Channels, one channel, and all consumers.

import { html, useState } from '../lib.js';
import { path } from '../api.js';
import { useLive } from '../live.js';
import { link, to, useCell } from '../router.js';
import { Badge, Facts, Head, Panel, Waiting } from '../parts.js';
import { LocalTable, PagedList } from '../table.js';
import { LineChart, rangeQuery, rates } from '../chart.js';
import { count, get, pairs, rate, statRate } from '../format.js';
import { vhosts } from '../session.js';

const Mode = ({ c }) => html`<span class="badges">${c.confirm && html`<${Badge} kind="accent" title="publisher confirms">confirm<//>`}${c.transactional && html`<${Badge} kind="warn" title="transactions">tx<//>`}</span>`;

export const channelColumns = (many) => [
  ...(many ? [{ key: 'vhost', label: 'Virtual host', sort: 'vhost' }] : []),
  { key: 'name', label: 'Channel', sort: 'name', fixed: true, className: 'name', render: (c) => html`<a href=${to.channel(c.name)}>${c.name}</a>` },
  { key: 'user', label: 'User', sort: 'user' },
  { key: 'mode', label: 'Mode', render: (c) => html`<${Mode} c=${c} />` },
  { key: 'state', label: 'State', sort: 'state' },
  { key: 'consumers', label: 'Consumers', num: true, sort: 'consumer_count', render: (c) => count(c.consumer_count) },
  { key: 'prefetch', label: 'Prefetch', num: true, sort: 'prefetch_count', render: (c) => [c.prefetch_count ? count(c.prefetch_count) : '', c.global_prefetch_count ? `${count(c.global_prefetch_count)} all` : ''].filter(Boolean).join(' / ') || html`<span class="idle">no limit</span>` },
  { key: 'unacked', label: 'Unacked', num: true, sort: 'messages_unacknowledged', render: (c) => count(c.messages_unacknowledged) },
  { key: 'unconfirmed', label: 'Unconfirmed', num: true, sort: 'messages_unconfirmed', render: (c) => count(c.messages_unconfirmed) },
  { key: 'publish', label: 'Publish', num: true, sort: 'message_stats.publish_details.rate', render: (c) => rate(statRate(c, 'publish') ?? 0) },
  { key: 'deliver', label: 'Deliver', num: true, sort: 'message_stats.deliver_get_details.rate', render: (c) => rate(statRate(c, 'deliver_get') ?? 0) },
  { key: 'ack', label: 'Ack', num: true, sort: 'message_stats.ack_details.rate', render: (c) => rate(statRate(c, 'ack') ?? 0) },
];

export function Channels() {
  const many = useCell(vhosts).length > 1;
  return html`<${Head} title="Channels" /><${PagedList} name="channels" resource="channels" vhosted=${false} columns=${channelColumns(many)} rowKey=${(c) => c.name} sort="name" empty="No channels are open." />`;
}

const RATES = [['publish', 'Publish'], ['confirm', 'Confirm'], ['deliver', 'Deliver'], ['deliver_no_ack', 'Deliver (auto ack)'], ['ack', 'Acknowledge'], ['redeliver', 'Redeliver'], ['return_unroutable', 'Returned']];

const consumerColumns = [
  { key: 'queue', label: 'Queue', sort: 'queue.name', className: 'name', render: (c) => html`<a href=${to.queue(c.queue.vhost, c.queue.name)}>${c.queue.name}</a>` },
  { key: 'channel', label: 'Channel', sort: 'channel_details.name', className: 'name', render: (c) => html`<a href=${to.channel(c.channel_details?.name ?? '')}>${c.channel_details?.name}</a>` },
  { key: 'consumer_tag', label: 'Consumer tag', sort: 'consumer_tag', className: 'name' },
  { key: 'ack_required', label: 'Acknowledges', sort: 'ack_required', render: (c) => (c.ack_required ? 'yes' : 'no') },
  { key: 'prefetch_count', label: 'Prefetch', num: true, sort: 'prefetch_count', render: (c) => (c.prefetch_count ? count(c.prefetch_count) : html`<span class="idle">no limit</span>`) },
  { key: 'active', label: 'Active', sort: 'active', render: (c) => (c.active === false ? html`<${Badge}>waiting<//>` : html`<${Badge} kind="good">${c.activity_status === 'up' || !c.activity_status ? 'active' : c.activity_status}<//>`) },
  { key: 'exclusive', label: 'Exclusive', sort: 'exclusive', render: (c) => (c.exclusive ? 'yes' : 'no') },
  { key: 'arguments', label: 'Arguments', render: (c) => pairs(c.arguments) },
];

export function Channel({ names: [name] }) {
  const live = useLive(path`channels/${name}` + `?${rangeQuery('60', ['msg_rates'])}`);
  const c = live.data;
  return html`<${Head} title=${name} crumbs=${[['Channels', link(['channels'])]]} badges=${c && html`<${Mode} c=${c} />`} />
  <${Waiting} live=${live}>${() => html`<div class="grid2">
    <${Panel} title="Message rates"><${LineChart} label="Message rates a second" show=${(n) => rate(n)} series=${RATES.map(([key, label], i) => ({ label, colour: i + 1, points: rates(get(c, `message_stats.${key}_details`)) })).filter((s) => s.points.length)} /><//>
    <${Panel} title="What it is"><${Facts} of=${[
    ['Connection', c.connection_details && html`<a href=${to.connection(c.connection_details.name)}>${c.connection_details.name}</a>`], ['User', c.user], ['Virtual host', c.vhost], ['State', c.state],
    ['Prefetch', c.prefetch_count ? count(c.prefetch_count) : 'no limit'], ['Prefetch of all consumers', c.global_prefetch_count ? count(c.global_prefetch_count) : 'no limit'],
    ['Unacknowledged', count(c.messages_unacknowledged)], ['Unconfirmed', count(c.messages_unconfirmed)], ['Uncommitted messages', count(c.messages_uncommitted)], ['Uncommitted acknowledgements', count(c.acks_uncommitted)],
  ]} /><//></div>
  <${Panel} title="Consumers" count=${count(c.consumer_details?.length ?? c.consumer_count)}><${LocalTable} caption="Consumers" rows=${c.consumer_details ?? []} rowKey=${(x) => x.consumer_tag} empty="No consumers." columns=${consumerColumns.filter((col) => col.key !== 'channel')} /><//>
  `}<//>`;
}

/** Rows that are drawn at once; more come on demand. */
const SHOWN = 200;

export function Consumers() {
  const live = useLive('consumers');
  const [text, setText] = useState('');
  const [most, setMost] = useState(SHOWN);
  const match = (c) => [c.queue?.name, c.consumer_tag, c.channel_details?.name].some((s) => s?.toLowerCase().includes(text.toLowerCase()));
  return html`<${Head} title="Consumers" />
  <${Waiting} live=${live}>${(list) => {
    const found = text ? list.filter(match) : list;
    return html`<section class="panel flush" aria-label="List of consumers">
      <div class="toolbar" role="search"><label><span class="hidden-text">Search consumers</span><input type="search" placeholder="Search consumers" value=${text} onInput=${(e) => setText(e.target.value)} /></label><span class="hint" role="status">${count(found.length)} of ${count(list.length)}</span></div>
      <${LocalTable} caption="Consumers" rows=${found.slice(0, most)} rowKey=${(c) => `${c.channel_details?.name} ${c.consumer_tag}`} empty="Nobody consumes." columns=${consumerColumns} />
      ${found.length > most && html`<div class="pager"><button type="button" class="button small" onClick=${() => setMost(most * 5)}>Show more</button></div>`}
    </section>`;
  }}<//>`;
}
