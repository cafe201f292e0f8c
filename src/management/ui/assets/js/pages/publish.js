// A form that publishes one message, or a few.

import { html } from '../lib.js';
import { path, post } from '../api.js';
import { Field, Form, Input, Select } from '../parts.js';
import { Args, tableOf, useRows } from '../args.js';
import { exchangeName, plural } from '../format.js';

const TEXTS = [['content_type', 'Content type'], ['correlation_id', 'Correlation id'], ['reply_to', 'Reply to'], ['message_id', 'Message id'], ['type', 'Type'], ['app_id', 'Application id'], ['expiration', 'Expiration (ms)']];

/** Most messages that one press of the button publishes. */
const MOST = 1000;

export function PublishForm({ vhost, exchange, routingKey = '', onDone }) {
  const [headers, setHeaders] = useRows({});
  const act = async (form) => {
    const properties = { delivery_mode: Number(form.get('delivery_mode')), headers: tableOf(headers) };
    for (const [name] of TEXTS) if (form.get(name)) properties[name] = form.get(name);
    if (form.get('priority')) properties.priority = Number(form.get('priority'));
    const message = { properties, routing_key: form.get('routing_key'), payload: form.get('payload'), payload_encoding: form.get('encoding') };
    const copies = Math.min(MOST, Math.max(1, Number(form.get('copies')) || 1));
    let unrouted = 0;
    for (let n = 0; n < copies; n += 1) {
      const answer = await post(path`exchanges/${vhost}/${exchange === '' ? 'amq.default' : exchange}/publish`, message);
      if (!answer.routed) unrouted += 1;
    }
    onDone?.();
    if (unrouted) throw Object.assign(new Error(`${plural(unrouted, 'message')} matched no queue.`), { advice: `No binding of ${exchangeName(exchange)} fits the routing key "${form.get('routing_key')}"${Object.keys(properties.headers).length ? ' and these headers' : ''}.` });
    return copies === 1 ? 'Published.' : `Published ${copies} messages.`;
  };
  return html`<${Form} submit="Publish" onSubmit=${act}>
    <div class="row">
      <${Input} label="Routing key" name="routing_key" value=${routingKey} />
      <${Select} label="Delivery mode" name="delivery_mode" options=${[['2', 'Persistent'], ['1', 'Transient']]} />
      <${Input} label="Copies" name="copies" type="number" min="1" max=${MOST} value="1" />
    </div>
    <${Field} label="Payload"><textarea name="payload" rows="6"></textarea><//>
    <details><summary>Properties and headers</summary><div class="form">
      <div class="row">${TEXTS.map(([name, label]) => html`<${Input} key=${name} label=${label} name=${name} />`)}<${Input} label="Priority" name="priority" type="number" min="0" max="255" />
        <${Select} label="Payload is" name="encoding" options=${[['string', 'text'], ['base64', 'base64 of octets']]} /></div>
      <${Args} label="Headers" rows=${headers} setRows=${setHeaders} />
    </div></details>
  <//>`;
}
