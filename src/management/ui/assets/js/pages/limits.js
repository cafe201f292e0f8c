// Limits of virtual hosts and users.

import { html } from '../lib.js';
import { del, path, put } from '../api.js';
import { useLive } from '../live.js';
import { to, useCell } from '../router.js';
import { Ask, Head, Input, Panel, Select, Waiting } from '../parts.js';
import { LocalTable } from '../table.js';
import { count } from '../format.js';
import { vhosts } from '../session.js';

const KINDS = {
  vhost: { resource: 'vhost-limits', title: 'Virtual hosts', one: 'virtual host', limits: [['max-connections', 'Connections'], ['max-queues', 'Queues']], href: to.vhost },
  user: { resource: 'user-limits', title: 'Users', one: 'user', limits: [['max-connections', 'Connections'], ['max-channels', 'Channels']], href: to.user },
};

function Kind({ kind, names }) {
  const { resource, title, one, limits, href } = KINDS[kind];
  const live = useLive(resource);
  const set = html`<${Ask} label="Set limit" title=${`Limit a ${one}`} submit="Set" act=${async (form) => {
    await put(path`${resource}/${form.get('name')}/${form.get('limit')}`, { value: Number(form.get('value')) });
    live.refresh();
    return 'The limit is set.';
  }}><div class="row"><${Select} label=${one[0].toUpperCase() + one.slice(1)} name="name" options=${names} /><${Select} label="Of" name="limit" options=${limits} /><${Input} label="At most" name="value" type="number" min="-1" required value="100" hint="0 allows none, -1 removes the limit" /></div><//>`;
  const remove = (name, limit) => html`<${Ask} small danger label="Remove" title="Remove this limit?" submit="Remove" act=${async () => { await del(path`${resource}/${name}/${limit}`); live.refresh(); return 'Removed.'; }}><p>${limit} of ${name}</p><//>`;
  return html`<${Panel} title=${title} actions=${set}><${Waiting} live=${live}>${(list) => {
    const rows = list.flatMap((l) => Object.entries(l.value ?? {}).map(([limit, value]) => ({ name: l[kind], limit, value })));
    return html`<${LocalTable} caption=${`Limits of ${title}`} rows=${rows} rowKey=${(r) => `${r.name} ${r.limit}`} empty="No limits are set." columns=${[
      { key: 'name', label: title.slice(0, -1), sort: 'name', className: 'name', render: (r) => html`<a href=${href(r.name)}>${r.name}</a>` },
      { key: 'limit', label: 'Limit', sort: 'limit' },
      { key: 'value', label: 'At most', num: true, sort: 'value', render: (r) => count(r.value) },
      { key: 'act', label: '', num: true, render: (r) => remove(r.name, r.limit) },
    ]} />`;
  }}<//><//>`;
}

export function Limits() {
  const users = (useLive('users?columns=name', { once: true }).data ?? []).map((u) => u.name);
  return html`<${Head} title="Limits" /><${Kind} kind="vhost" names=${useCell(vhosts)} /><${Kind} kind="user" names=${users} />`;
}
