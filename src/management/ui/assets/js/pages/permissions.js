// Who may do what: all permissions as one table, and those of one user or virtual host.

import { html } from '../lib.js';
import { del, path, put } from '../api.js';
import { useLive } from '../live.js';
import { to, useCell } from '../router.js';
import { Ask, Badge, Head, Input, Panel, Select, Waiting } from '../parts.js';
import { LocalTable } from '../table.js';
import { count, exchangeName } from '../format.js';
import { user as me, vhosts } from '../session.js';

/** What a pattern allows, in a word. */
const Pattern = ({ of }) => (of === '.*' ? html`<${Badge} kind="good">everything<//>` : of === '' || of === '^$' ? html`<${Badge}>nothing<//>` : html`<code>${of}</code>`);
const HINT = 'A regular expression on names. ".*" is everything, empty is nothing.';

function Set({ user, vhost, users, onDone, row, label = 'Set permission', small }) {
  const list = useCell(vhosts);
  const act = async (form) => {
    const who = row?.user ?? user ?? form.get('user');
    const where = row?.vhost ?? vhost ?? form.get('vhost');
    await put(path`permissions/${where}/${who}`, { configure: form.get('configure'), write: form.get('write'), read: form.get('read') });
    onDone();
    return `Permissions of ${who} in ${where} are set.`;
  };
  return html`<${Ask} label=${label} small=${small} title=${row ? `Permissions of ${row.user} in ${row.vhost}` : 'Set permissions'} submit="Set" act=${act}>
    <div class="row">${!row && user === undefined && html`<${Select} label="User" name="user" options=${users} />`}${!row && vhost === undefined && html`<${Select} label="Virtual host" name="vhost" options=${list} />`}</div>
    <${Input} label="Configure (declare, delete)" name="configure" value=${row?.configure ?? '.*'} hint=${HINT} /><${Input} label="Write (publish, bind to)" name="write" value=${row?.write ?? '.*'} /><${Input} label="Read (consume, get, bind from)" name="read" value=${row?.read ?? '.*'} />
  <//>`;
}

function SetTopic({ user, vhost, users, onDone }) {
  const list = useCell(vhosts);
  const act = async (form) => {
    await put(path`topic-permissions/${vhost ?? form.get('vhost')}/${user ?? form.get('user')}`, { exchange: form.get('exchange'), write: form.get('write'), read: form.get('read') });
    onDone();
    return 'Topic permission is set.';
  };
  return html`<${Ask} label="Set topic permission" title="Set a topic permission" submit="Set" act=${act}>
    <div class="row">${user === undefined && html`<${Select} label="User" name="user" options=${users} />`}${vhost === undefined && html`<${Select} label="Virtual host" name="vhost" options=${list} />`}</div>
    <${Input} label="Topic exchange" name="exchange" value="amq.topic" required /><${Input} label="Routing keys to publish with" name="write" value=".*" hint=${HINT} /><${Input} label="Routing keys to bind with" name="read" value=".*" />
  <//>`;
}

const Remove = ({ where, what, onDone }) => html`<${Ask} small danger label="Remove" title=${`Remove ${what}?`} submit="Remove" act=${async () => { await del(where); onDone(); return 'Removed.'; }}><p>It acts at once, on open channels as well.</p><//>`;

/** Permissions and topic permissions of a user, of a virtual host, or all. */
export function PermissionTables({ user, vhost }) {
  useCell(me);
  const scope = user !== undefined ? path`users/${user}/` : vhost !== undefined ? path`vhosts/${vhost}/` : '';
  const plain = useLive(`${scope}permissions`);
  const topic = useLive(`${scope}topic-permissions`);
  const users = (useLive(user === undefined ? 'users?columns=name' : null, { quiet: true }).data ?? []).map((u) => u.name);
  const who = [
    ...(user === undefined ? [{ key: 'user', label: 'User', sort: 'user', render: (p) => html`<a href=${to.user(p.user)}>${p.user}</a>` }] : []),
    ...(vhost === undefined ? [{ key: 'vhost', label: 'Virtual host', sort: 'vhost', render: (p) => html`<a href=${to.vhost(p.vhost)}>${p.vhost}</a>` }] : []),
  ];
  const pattern = (key, label) => ({ key, label, sort: key, render: (p) => html`<${Pattern} of=${p[key]} />` });
  return html`
  <${Panel} title="Permissions" count=${plain.data && count(plain.data.length)} actions=${html`<${Set} user=${user} vhost=${vhost} users=${users} onDone=${plain.refresh} />`}>
    <${Waiting} live=${plain}>${(list) => html`<${LocalTable} caption="Permissions" rows=${list} rowKey=${(p) => `${p.user} ${p.vhost}`} empty=${user !== undefined ? 'This user may enter no virtual host yet.' : 'Nobody may enter.'} columns=${[...who, pattern('configure', 'Configure'), pattern('write', 'Write'), pattern('read', 'Read'),
      { key: 'act', label: '', num: true, render: (p) => html`<span class="flow"><${Set} small label="Edit" row=${p} onDone=${plain.refresh} /><${Remove} what=${`the permissions of ${p.user} in ${p.vhost}`} where=${path`permissions/${p.vhost}/${p.user}`} onDone=${plain.refresh} /></span>` }]} />`}<//><//>
  <${Panel} title="Topic permissions" count=${topic.data && count(topic.data.length)} actions=${html`<${SetTopic} user=${user} vhost=${vhost} users=${users} onDone=${topic.refresh} />`}>
    <${Waiting} live=${topic}>${(list) => html`<${LocalTable} caption="Topic permissions" rows=${list} rowKey=${(p) => `${p.user} ${p.vhost} ${p.exchange}`} empty="None: routing keys are not limited." columns=${[...who, { key: 'exchange', label: 'Exchange', sort: 'exchange', render: (p) => exchangeName(p.exchange) }, pattern('write', 'Publish with'), pattern('read', 'Bind with'),
      { key: 'act', label: '', num: true, render: (p) => html`<${Remove} what="this topic permission" where=${path`topic-permissions/${p.vhost}/${p.user}/${p.exchange}`} onDone=${topic.refresh} />` }]} />`}<//><//>`;
}

export function Permissions() {
  return html`<${Head} title="Permissions" /><${PermissionTables} />`;
}
