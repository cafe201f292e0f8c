// Exchanges, and where a routing key would go.

import { html, useRef } from '../lib.js';
import { del, path, put } from '../api.js';
import { useLive } from '../live.js';
import { go, link, to, useCell, useRoute } from '../router.js';
import { Ask, Badge, Check, Facts, Head, Input, Panel, Select, Waiting } from '../parts.js';
import { Args, tableOf, useRows } from '../args.js';
import { PagedList } from '../table.js';
import { LineChart, rangeQuery, rates } from '../chart.js';
import { Bindings } from './bindings.js';
import { PublishForm } from './publish.js';
import { RoutingTest } from './route.js';
import { exchangeName, pairs, plural, rate, statRate } from '../format.js';
import { user, vhosts } from '../session.js';

const TYPES = ['direct', 'fanout', 'topic', 'headers'];
const reserved = (name) => name === '' || name.startsWith('amq.');

const Features = ({ x }) => html`<span class="badges">
  <${Badge} title=${x.durable ? 'durable' : 'gone after a restart'}>${x.durable ? 'D' : 'transient'}<//>
  ${x.auto_delete && html`<${Badge} title="deleted when its last binding goes">AD<//>`}
  ${x.internal && html`<${Badge} title="clients cannot publish to it">I<//>`}
  ${x.arguments?.['alternate-exchange'] && html`<${Badge} title=${`alternate exchange ${x.arguments['alternate-exchange']}`}>AE<//>`}
  ${x.policy && html`<${Badge} kind="accent">${x.policy}<//>`}
</span>`;

function AddExchange({ onDone }) {
  const list = useCell(vhosts);
  const [rows, setRows] = useRows({});
  const { query } = useRoute();
  const types = useLive('overview?columns=exchange_types', { once: true }).data?.exchange_types?.map((t) => t.name) ?? TYPES;
  const act = async (form) => {
    const name = form.get('name').trim();
    await put(path`exchanges/${form.get('vhost')}/${name}`, { type: form.get('type'), durable: form.get('durable') === 'true', auto_delete: form.get('auto_delete') === 'on', internal: form.get('internal') === 'on', arguments: tableOf(rows) });
    onDone();
    return `Exchange ${name} is there.`;
  };
  return html`<${Ask} label="Add exchange" title="Add an exchange" submit="Add" kind="main" act=${act}>
    <${Input} label="Name" name="name" required autofocus maxlength="255" />
    <div class="row"><${Select} label="Virtual host" name="vhost" options=${list} value=${query.get('vhost') || list[0]} /><${Select} label="Type" name="type" options=${types} value="topic" />
      <${Select} label="Durability" name="durable" options=${[['true', 'Durable'], ['false', 'Transient']]} /></div>
    <${Check} label="Delete when its last binding goes" name="auto_delete" /><${Check} label="Internal: only other exchanges send to it" name="internal" />
    <${Args} label="Arguments" rows=${rows} setRows=${setRows} hints=${[{ key: 'alternate-exchange', label: 'Alternate exchange', text: 'gets what matches no binding' }]} />
  <//>`;
}

const columns = (many) => [
  ...(many ? [{ key: 'vhost', label: 'Virtual host', sort: 'vhost' }] : []),
  { key: 'name', label: 'Name', sort: 'name', fixed: true, className: 'name', render: (x) => html`<a href=${to.exchange(x.vhost, x.name)}>${exchangeName(x.name)}</a>` },
  { key: 'type', label: 'Type', sort: 'type' },
  { key: 'features', label: 'Features', render: (x) => html`<${Features} x=${x} />` },
  { key: 'in', label: 'In', num: true, sort: 'message_stats.publish_in_details.rate', render: (x) => rate(statRate(x, 'publish_in') ?? 0) },
  { key: 'out', label: 'Out', num: true, sort: 'message_stats.publish_out_details.rate', render: (x) => rate(statRate(x, 'publish_out') ?? 0) },
];

export function Exchanges() {
  useCell(user);
  const many = useCell(vhosts).length > 1;
  const refresh = useRef(() => {});
  return html`<${Head} title="Exchanges"><${AddExchange} onDone=${() => refresh.current()} /><//>
    <${PagedList} name="exchanges" resource="exchanges" columns=${columns(many)} rowKey=${(x) => `${x.vhost}/${x.name}`} empty="No exchanges." refreshRef=${refresh} />`;
}

function Delete({ vhost, name }) {
  return html`<${Ask} label="Delete" danger title=${`Delete ${name}?`} submit="Delete the exchange" act=${async (form) => {
    await del(path`exchanges/${vhost}/${name}` + (form.get('if-unused') === 'on' ? '?if-unused=true' : ''));
    go(link(['exchanges']));
    return `Exchange ${name} is deleted.`;
  }}><p>Its bindings go with it; publishers to it get an error.</p><${Check} label="Only if nothing is bound to it" name="if-unused" /><//>`;
}

export function Exchange({ names: [vhost, segment] }) {
  const name = segment === 'amq.default' ? '' : segment;
  const live = useLive(path`exchanges/${vhost}/${segment}` + `?${rangeQuery('60', ['msg_rates'])}`);
  const x = live.data;
  return html`<${Head} title=${exchangeName(name)} crumbs=${[['Exchanges', link(['exchanges'])], [vhost, link(['exchanges'], { vhost })]]} badges=${x && html`<${Badge} kind="accent">${x.type}<//><${Features} x=${x} />`}>
    ${!reserved(name) && html`<${Delete} vhost=${vhost} name=${name} />`}<//>
  <${Waiting} live=${live}>${() => html`
    <div class="grid2">
      <${Panel} title="Message rates"><${LineChart} label="Message rates a second" show=${(n) => rate(n)} series=${[{ label: 'In', points: rates(x.message_stats?.publish_in_details), area: true }, { label: 'Out', points: rates(x.message_stats?.publish_out_details) }]} /><//>
      <${Panel} title="What it is"><${Facts} of=${[['Type', x.type], ['Durable', x.durable ? 'yes' : 'no'], ['Deleted with its last binding', x.auto_delete ? 'yes' : 'no'], ['Internal', x.internal ? 'yes' : 'no'], ['Arguments', pairs(x.arguments) || 'none'],
    ['Policy', x.policy && html`<a href=${to.policy(vhost, x.policy)}>${x.policy}</a>`], ['Declared by', x.user_who_performed_action],
    ['Published to it', `${plural(x.message_stats?.publish_in ?? 0, 'message')}`], ['Sent on', `${plural(x.message_stats?.publish_out ?? 0, 'message')}`]]} /><//>
    </div>
    <${RoutingTest} vhost=${vhost} exchange=${name} type=${x.type} />
    <${Bindings} vhost=${vhost} exchange=${name} />
    ${!x.internal && html`<${Panel} title="Publish"><${PublishForm} vhost=${vhost} exchange=${name} onDone=${live.refresh} /><//>`}
  `}<//>`;
}
