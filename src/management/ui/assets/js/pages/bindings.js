// Bindings of a queue or an exchange: seen, added, removed.

import { html } from '../lib.js';
import { del, path, post } from '../api.js';
import { useLive } from '../live.js';
import { to } from '../router.js';
import { Ask, Input, Panel, Select, Waiting } from '../parts.js';
import { Args, tableOf, useRows } from '../args.js';
import { LocalTable } from '../table.js';
import { count, exchangeName, pairs } from '../format.js';

const segment = (exchange) => (exchange === '' ? 'amq.default' : exchange);
const kind = (b) => (b.destination_type === 'queue' ? 'q' : 'e');
const where = (b) => path`bindings/${b.vhost}/e/${segment(b.source)}/` + kind(b) + path`/${b.destination}`;

const Peer = ({ vhost, type, name }) => (type === 'queue' ? html`<a href=${to.queue(vhost, name)}>${name}</a>` : html`<a href=${to.exchange(vhost, name)}>${exchangeName(name)}</a> <span class="idle">exchange</span>`);

function Add({ vhost, queue, exchange, onDone }) {
  const [rows, setRows] = useRows({});
  const act = async (form) => {
    const other = form.get('other').trim();
    const target = queue !== undefined
      ? { vhost, source: other, destination_type: 'queue', destination: queue }
      : { vhost, source: exchange, destination_type: form.get('type'), destination: other };
    await post(where(target), { routing_key: form.get('routing_key'), arguments: tableOf(rows) });
    onDone();
    return 'Bound.';
  };
  return html`<${Ask} label="Add binding" title=${queue !== undefined ? `Bind ${queue} to an exchange` : `Bind something to ${exchangeName(exchange)}`} submit="Bind" act=${act}>
    ${queue === undefined && html`<${Select} label="To" name="type" options=${[['queue', 'Queue'], ['exchange', 'Exchange']]} />`}
    <${Input} label=${queue !== undefined ? 'From exchange' : 'Name'} name="other" required autofocus />
    <${Input} label="Routing key" name="routing_key" hint="Topic exchanges: * is one word, # any number of words. Headers exchanges look at the arguments instead." />
    <${Args} label="Arguments" rows=${rows} setRows=${setRows} hints=${[{ key: 'x-match', label: 'x-match', value: 'all' }]} />
  <//>`;
}

function Remove({ binding, onDone }) {
  return html`<${Ask} small danger label="Unbind" title="Remove this binding?" submit="Unbind" act=${async () => {
    await del(where(binding) + path`/${binding.properties_key}`);
    onDone();
    return 'Unbound.';
  }}><p>${exchangeName(binding.source)} → ${binding.destination}, routing key "${binding.routing_key}".</p><//>`;
}

function List({ title, live, side, onDone, actions }) {
  return html`<${Panel} title=${title} count=${live.data && count(live.data.length)} actions=${actions}><${Waiting} live=${live}>${(list) => html`<${LocalTable} caption=${title} rows=${list} rowKey=${(b) => `${b.source}→${b.destination_type}${b.destination}/${b.properties_key}`} empty="No bindings." columns=${[
    side === 'source'
      ? { key: 'source', label: 'From', sort: 'source', className: 'name', render: (b) => html`<${Peer} vhost=${b.vhost} type="exchange" name=${b.source} />` }
      : { key: 'destination', label: 'To', sort: 'destination', className: 'name', render: (b) => html`<${Peer} vhost=${b.vhost} type=${b.destination_type} name=${b.destination} />` },
    { key: 'routing_key', label: 'Routing key', sort: 'routing_key', className: 'name', render: (b) => html`<code>${b.routing_key}</code>` },
    { key: 'arguments', label: 'Arguments', render: (b) => pairs(b.arguments) },
    { key: 'remove', label: '', num: true, render: (b) => (b.source === '' ? html`<span class="idle">implicit</span>` : html`<${Remove} binding=${b} onDone=${onDone} />`) },
  ]} />`}<//><//>`;
}

/** Bindings of a queue (`queue`) or of an exchange (`exchange`). */
export function Bindings({ vhost, queue, exchange }) {
  const incoming = useLive(queue !== undefined ? path`queues/${vhost}/${queue}/bindings` : path`exchanges/${vhost}/${segment(exchange)}/bindings/destination`);
  const outgoing = useLive(queue !== undefined ? null : path`exchanges/${vhost}/${segment(exchange)}/bindings/source`);
  const done = () => { incoming.refresh(); outgoing.refresh(); };
  if (queue !== undefined) {
    return html`<${List} title="Bindings" side="source" live=${incoming} onDone=${done} actions=${html`<${Add} vhost=${vhost} queue=${queue} onDone=${done} />`} />`;
  }
  return html`<${List} title="Goes to" side="destination" live=${outgoing} onDone=${done} actions=${exchange !== '' && html`<${Add} vhost=${vhost} exchange=${exchange} onDone=${done} />`} />
    ${incoming.data?.length > 0 && html`<${List} title="Gets from" side="source" live=${incoming} onDone=${done} />`}`;
}
