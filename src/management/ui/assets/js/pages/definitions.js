// Everything that is configured, down and up: with a look at what an upload would change.

import { html, useState } from '../lib.js';
import { address, get, path, post } from '../api.js';
import { loadVhosts } from '../session.js';
import { Field, Form, Head, Panel } from '../parts.js';
import { LocalTable, VhostSelect } from '../table.js';
import { bytes, count } from '../format.js';

const KINDS = [['vhosts', (x) => x.name], ['users', (x) => x.name], ['permissions', (x) => `${x.user} in ${x.vhost}`], ['topic_permissions', (x) => `${x.user} in ${x.vhost}: ${x.exchange}`], ['policies', (x) => `${x.vhost}/${x.name}`],
  ['parameters', (x) => `${x.component} ${x.vhost}/${x.name}`], ['global_parameters', (x) => x.name], ['exchanges', (x) => `${x.vhost}/${x.name}`], ['queues', (x) => `${x.vhost}/${x.name}`], ['bindings', (x) => `${x.vhost}: ${x.source} → ${x.destination} (${x.destination_type}) ${x.routing_key} ${stable(x.arguments)}`]];

/** The same text for the same value, whatever the order of its keys. */
function stable(value) {
  if (Array.isArray(value)) return `[${value.map(stable).join()}]`;
  if (value && typeof value === 'object') return `{${Object.keys(value).sort().map((k) => `${k}:${stable(value[k])}`).join()}}`;
  return JSON.stringify(value);
}

/** What an upload has that the broker has not, or has otherwise. */
function compare(upload, current) {
  return KINDS.filter(([kind]) => Array.isArray(upload[kind])).map(([kind, name]) => {
    const have = new Map((current[kind] ?? []).map((x) => [name(x), stable(x)]));
    const added = [];
    const changed = [];
    for (const x of upload[kind]) {
      const there = have.get(name(x));
      if (there === undefined) added.push(name(x));
      else if (there !== stable(x)) changed.push(name(x));
    }
    return { kind, total: upload[kind].length, added, changed };
  });
}

const Names = ({ of }) => (of.length ? html`<details><summary>${count(of.length)}</summary>${of.slice(0, 200).map((n) => html`<div key=${n}>${n}</div>`)}${of.length > 200 && html`<div class="hint">and ${count(of.length - 200)} more</div>`}</details>` : html`<span class="idle">none</span>`);

function Upload({ vhost }) {
  const [file, setFile] = useState(null);
  const where = vhost ? path`definitions/${vhost}` : 'definitions';
  const choose = async (event) => {
    const chosen = event.target.files[0];
    if (!chosen) return setFile(null);
    try {
      const content = JSON.parse(await chosen.text());
      const inVhost = (d) => (vhost ? Object.fromEntries(Object.entries(d).map(([k, v]) => [k, Array.isArray(v) ? v.map((x) => ({ ...x, vhost })) : v])) : d);
      return setFile({ name: chosen.name, size: chosen.size, content, changes: compare(inVhost(content), inVhost(await get(where))) });
    } catch (error) {
      return setFile({ name: chosen.name, error: error instanceof SyntaxError ? `This is not JSON: ${error.message}` : error.message });
    }
  };
  return html`<${Panel} title="Upload"><p>What the file names is added or changed; nothing is deleted. It is taken as a whole or not at all.</p>
    <${Form} submit="Apply" onSubmit=${async () => {
    if (!file?.content) throw new Error('Choose a file first.');
    await post(where, file.content);
    await loadVhosts();
    setFile(null);
    return `${file.name} is applied.`;
  }}>
    <${Field} label="Definitions file" hint="as exported here, or by RabbitMQ"><input type="file" accept=".json,application/json" onChange=${choose} /><//>
    ${file?.error && html`<div class="notice bad" role="alert"><strong>${file.error}</strong></div>`}
    ${file?.changes && html`<div role="status"><p>${file.name}, ${bytes(file.size)}${file.content.rabbit_version ? `, from version ${file.content.rabbit_version}` : ''}:</p><${LocalTable} caption="What the upload changes" rows=${file.changes} rowKey=${(c) => c.kind} empty="The file names nothing." columns=${[
    { key: 'kind', label: 'What', render: (c) => c.kind.replaceAll('_', ' ') }, { key: 'total', label: 'In the file', num: true, render: (c) => count(c.total) },
    { key: 'added', label: 'New', render: (c) => html`<${Names} of=${c.added} />` }, { key: 'changed', label: 'Changed', render: (c) => html`<${Names} of=${c.changed} />` },
  ]} /></div>`}
    <//><//>`;
}

export function Definitions() {
  const [vhost, setVhost] = useState('');
  const name = `leveret-${vhost ? encodeURIComponent(vhost) : 'all'}-${new Date().toISOString().slice(0, 10)}.json`;
  const href = address((vhost ? path`definitions/${vhost}` : 'definitions') + `?download=${encodeURIComponent(name)}`);
  return html`<${Head} title="Definitions"><${VhostSelect} value=${vhost} onChange=${setVhost} /><//>
    <div class="grid2"><${Panel} title="Download"><p>Users, virtual hosts, permissions, policies, exchanges, queues and bindings${vhost ? ` of ${vhost}` : ''}; no messages. It holds password hashes: keep it safe.</p><a class="button main" href=${href} download=${name}>Download ${vhost || 'everything'}</a><//>
    <${Upload} key=${vhost} vhost=${vhost} /></div>`;
}
