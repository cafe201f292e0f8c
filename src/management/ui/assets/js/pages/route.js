// Tries a routing key: which queues a message would reach, without sending one.

import { html, useState } from '../lib.js';
import { tryRoute } from '../beyond.js';
import { Badge, Form, Input, Panel } from '../parts.js';
import { Args, tableOf, useRows } from '../args.js';
import { LocalTable } from '../table.js';
import { to } from '../router.js';
import { count, plural } from '../format.js';

const nameOf = (q) => (typeof q === 'string' ? q : q.name ?? q.queue);

export function RoutingTest({ vhost, exchange, type }) {
  const [answer, setAnswer] = useState(null);
  const [rows, setRows] = useRows({});
  const act = async (form) => setAnswer(await tryRoute({ vhost, exchange, routing_key: form.get('routing_key'), headers: tableOf(rows) }));
  const queues = answer?.queues ?? [];
  return html`<${Panel} title="Where would a message go?" count="nothing is sent">
    <${Form} submit="Try" onSubmit=${act}>
      <${Input} label="Routing key" name="routing_key" class="mono" />
      ${type === 'headers' && html`<${Args} label="Headers" rows=${rows} setRows=${setRows} />`}
    <//>
    ${answer && html`<div role="status" data-route=${queues.length}><p><strong>${queues.length ? `Reaches ${plural(queues.length, 'queue')}` : 'Reaches no queue: it would be returned or dropped'}</strong></p>
      ${queues.length > 0 && html`<${LocalTable} caption="Queues reached" rows=${queues} rowKey=${nameOf} columns=${[
    { key: 'name', label: 'Queue', className: 'name', render: (q) => html`<a href=${to.queue(vhost, nameOf(q))}>${nameOf(q)}</a>` },
    { key: 'policy', label: 'Policy', render: (q) => q.policy ?? '' },
    { key: 'messages', label: 'Messages', num: true, render: (q) => count(q.messages) },
    { key: 'limit', label: 'Limit', render: (q) => (q.limit ? html`<${Badge} kind="warn">${typeof q.limit === 'string' ? q.limit : JSON.stringify(q.limit)}<//>` : '') },
  ]} />`}</div>`}
  <//>`;
}
