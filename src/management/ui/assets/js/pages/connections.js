// Connections, and one of them with its channels.

import { html, useRef } from '../lib.js';
import { del, path } from '../api.js';
import { useLive } from '../live.js';
import { go, link, to, useCell } from '../router.js';
import { Ask, Badge, Facts, Head, Input, Panel, Waiting, When, complain, say } from '../parts.js';
import { LocalTable, PagedList } from '../table.js';
import { LineChart, rangeQuery, rates } from '../chart.js';
import { channelColumns } from './channels.js';
import { ago, byteRate, bytes, count, pairs, plural, value } from '../format.js';
import { vhosts } from '../session.js';

const STATES = { running: 'good', blocked: 'bad', blocking: 'warn', flow: 'warn', closing: 'warn', closed: '' };
const State = ({ c }) => html`<${Badge} kind=${STATES[c.state] ?? ''} title=${c.state === 'flow' ? 'publishes faster than the broker takes' : c.state === 'blocked' ? 'an alarm stops its publishes' : ''}>${c.state ?? '–'}<//>`;

const client = (c) => [c.client_properties?.product, c.client_properties?.version].filter(Boolean).join(' ');

const columns = (many) => [
  ...(many ? [{ key: 'vhost', label: 'Virtual host', sort: 'vhost' }] : []),
  { key: 'name', label: 'Name', sort: 'name', fixed: true, className: 'name', render: (c) => html`<a href=${to.connection(c.name)}>${c.user_provided_name ?? c.name}</a>${c.user_provided_name && html`<div class="idle">${c.name}</div>`}` },
  { key: 'user', label: 'User', sort: 'user' },
  { key: 'state', label: 'State', sort: 'state', render: (c) => html`<${State} c=${c} />` },
  { key: 'tls', label: 'TLS', sort: 'ssl', render: (c) => (c.ssl ? 'yes' : html`<span class="idle">no</span>`) },
  { key: 'channels', label: 'Channels', num: true, sort: 'channels' },
  { key: 'in', label: 'From client', num: true, sort: 'recv_oct_details.rate', render: (c) => byteRate(c.recv_oct_details?.rate ?? 0) },
  { key: 'out', label: 'To client', num: true, sort: 'send_oct_details.rate', render: (c) => byteRate(c.send_oct_details?.rate ?? 0) },
  { key: 'since', label: 'Since', sort: 'connected_at', render: (c) => (c.connected_at ? html`<span title=${String(new Date(c.connected_at))}>${ago(c.connected_at)}</span>` : '–') },
  { key: 'client', label: 'Client', optional: true, render: client },
  { key: 'protocol', label: 'Protocol', sort: 'protocol', optional: true },
  { key: 'timeout', label: 'Heartbeat', num: true, sort: 'timeout', optional: true, render: (c) => (c.timeout ? `${c.timeout} s` : 'off') },
  { key: 'auth_mechanism', label: 'Login by', sort: 'auth_mechanism', optional: true },
];

const close = (name, reason) => del(path`connections/${name}`, { headers: reason ? { 'x-reason': reason } : {} });

const Bulk = (chosen, done) => html`<${Ask} small danger label="Close" submit="Close them" title=${`Close ${plural(chosen.length, 'connection')}?`} act=${async (form) => {
  let closed = 0;
  for (const c of chosen) {
    try { await close(c.name, form.get('reason')); closed += 1; } catch (error) { complain(error); }
  }
  done();
  if (closed) say(`Closed ${plural(closed, 'connection')}.`);
}}><p>Most clients connect again by themselves.</p><${Input} label="Reason, told to the clients" name="reason" value="Closed via management pages" /><//>`;

export function Connections() {
  const many = useCell(vhosts).length > 1;
  const refresh = useRef(() => {});
  return html`<${Head} title="Connections" />
    <${PagedList} name="connections" resource="connections" vhosted=${false} columns=${columns(many)} rowKey=${(c) => c.name} rowClass=${(c) => (c.state === 'blocked' ? 'hurt-bad' : '')} sort="name"
      empty="Nobody is connected." bulk=${Bulk} refreshRef=${refresh} />`;
}

export function Connection({ names: [name] }) {
  const live = useLive(path`connections/${name}` + `?${rangeQuery('60', ['data_rates'])}`);
  const channels = useLive(path`connections/${name}/channels`);
  const c = live.data;
  const title = c?.user_provided_name ?? name;
  return html`<${Head} title=${title} crumbs=${[['Connections', link(['connections'])]]} badges=${c && html`<${State} c=${c} />`}>
    <${Ask} label="Close" danger title="Close this connection?" submit="Close it" act=${async (form) => { await close(name, form.get('reason')); go(link(['connections'])); return 'Closed.'; }}>
      <p>Most clients connect again by themselves.</p><${Input} label="Reason, told to the client" name="reason" value="Closed via management pages" /><//><//>
  <${Waiting} live=${live}>${() => html`
    ${c.state === 'blocked' && html`<div class="notice bad" role="alert"><strong>Blocked by an alarm.</strong><p class="todo">The broker is short of memory or disk (see the overview). The connection goes on by itself when the alarm ends.</p></div>`}
    <div class="grid2">
      <${Panel} title="Data rates"><${LineChart} label="Octets a second" show=${(n) => (n === undefined ? '–' : bytes(n))} series=${[{ label: 'From client', points: rates(c.recv_oct_details), area: true }, { label: 'To client', points: rates(c.send_oct_details) }]} />
        <p class="hint">${bytes(c.recv_oct)} received, ${bytes(c.send_oct)} sent</p><//>
      <${Panel} title="What it is"><${Facts} of=${[
    ['Name', name], ['User', html`<a href=${to.user(c.user)}>${c.user}</a>`], ['Virtual host', html`<a href=${to.vhost(c.vhost)}>${c.vhost}</a>`], ['Connected', c.connected_at && html`${ago(c.connected_at)} (<${When} at=${c.connected_at} />)`],
    ['Protocol', c.protocol], ['Login by', c.auth_mechanism], ['Heartbeat', c.timeout ? `${c.timeout} s` : 'off'], ['Frames up to', bytes(c.frame_max)], ['Channels', `${count(c.channels)} of at most ${count(c.channel_max)}`],
    ['TLS', c.ssl ? [c.ssl_protocol, c.ssl_cipher].filter(Boolean).join(', ') || 'yes' : 'no'], ['Certificate of', c.peer_cert_subject], ['Client', client(c)], ['Node', c.node],
  ]} /><//>
    </div>
    <${Panel} title="Channels" count=${channels.data && count(channels.data.length)}><${Waiting} live=${channels}>${(list) => html`<${LocalTable} caption="Channels" rows=${list} rowKey=${(ch) => ch.name} empty="No channels are open." columns=${channelColumns(false).filter((col) => col.key !== 'user')} />`}<//><//>
    <${Panel} title="What the client says of itself"><${Facts} of=${Object.entries(c.client_properties ?? {}).map(([k, v]) => [k, typeof v === 'object' && v !== null ? pairs(v) : value(v)])} /><//>
  `}<//>`;
}
