// Users, their tags and passwords.

import { html } from '../lib.js';
import { del, path, put } from '../api.js';
import { useLive } from '../live.js';
import { go, link, to } from '../router.js';
import { Ask, Badge, Check, Facts, Head, Input, Panel, Waiting } from '../parts.js';
import { LocalTable } from '../table.js';
import { PermissionTables } from './permissions.js';
import { pairs } from '../format.js';
import { user as me } from '../session.js';

const TAGS = [['administrator', 'everything'], ['monitoring', 'sees all, and the nodes'], ['policymaker', 'sets policies and parameters'], ['management', 'may use these pages']];
const tagsOf = (u) => (Array.isArray(u.tags) ? u.tags : u.tags ? u.tags.split(',') : []);

const Tags = ({ of }) => html`<span class="badges">${of.length ? of.map((t) => html`<${Badge} key=${t} kind=${t === 'administrator' ? 'accent' : ''}>${t}<//>`) : html`<span class="idle">no tags: AMQP only</span>`}</span>`;

function Edit({ user, label, title, onDone, kind }) {
  const known = user ? tagsOf(user) : [];
  const act = async (form) => {
    const name = user?.name ?? form.get('name').trim();
    const tags = [...TAGS.map(([t]) => t).filter((t) => form.get(`tag-${t}`) === 'on'), ...form.get('others').split(',').map((t) => t.trim()).filter(Boolean)];
    const secret = form.get('password')
      ? { password: form.get('password') }
      : form.get('nopassword') === 'on' || !user ? { password_hash: '' } : { password_hash: user.password_hash, hashing_algorithm: user.hashing_algorithm };
    if (!user && !form.get('password') && form.get('nopassword') !== 'on') throw new Error('Give a password, or say that the user has none.');
    if (form.get('password') !== form.get('again')) throw new Error('The two passwords differ.');
    await put(path`users/${name}`, { tags: tags.join(','), ...secret });
    onDone();
    return `User ${name} is ${user ? 'changed' : 'there'}.`;
  };
  return html`<${Ask} label=${label} title=${title} submit="Save" kind=${kind} act=${act}>
    ${!user && html`<${Input} label="Name" name="name" required autofocus />`}
    <div class="row"><${Input} label=${user ? 'New password' : 'Password'} name="password" type="password" autocomplete="new-password" hint=${user ? 'Empty leaves it as it is.' : ''} /><${Input} label="The same again" name="again" type="password" autocomplete="new-password" /></div>
    <${Check} label="No password: only certificates may log in" name="nopassword" />
    <fieldset class="stack"><legend>Tags</legend>${TAGS.map(([t, text]) => html`<label class="check" key=${t}><input type="checkbox" name=${`tag-${t}`} checked=${known.includes(t)} />${t} <span class="hint">${text}</span></label>`)}
      <${Input} label="Others" name="others" value=${known.filter((t) => !TAGS.some(([k]) => k === t)).join(', ')} /></fieldset>
  <//>`;
}

export function Users() {
  const live = useLive('users');
  const permissions = useLive('permissions', { quiet: true });
  const where = (name) => (permissions.data ?? []).filter((p) => p.user === name).map((p) => p.vhost);
  return html`<${Head} title="Users"><${Edit} label="Add user" title="Add a user" kind="main" onDone=${live.refresh} /><//>
  <${Waiting} live=${live}>${(list) => html`<section class="panel flush" aria-label="List of users"><${LocalTable} caption="Users" rows=${list} rowKey=${(u) => u.name} columns=${[
    { key: 'name', label: 'Name', sort: 'name', className: 'name', render: (u) => html`<a href=${to.user(u.name)}>${u.name}</a>` },
    { key: 'tags', label: 'Tags', render: (u) => html`<${Tags} of=${tagsOf(u)} />` },
    { key: 'vhosts', label: 'Virtual hosts', render: (u) => { const v = where(u.name); return v.length ? v.join(', ') : html`<${Badge} kind="warn" title="The user can log in but enter no virtual host.">none<//>`; } },
    { key: 'password', label: 'Password', render: (u) => (u.password_hash ? 'set' : html`<span class="idle">none</span>`) },
    { key: 'limits', label: 'Limits', render: (u) => (Array.isArray(u.limits) ? '' : pairs(u.limits)) },
  ]} /></section>`}<//>`;
}

export function User({ names: [name] }) {
  const live = useLive(path`users/${name}`);
  const u = live.data;
  return html`<${Head} title=${name} crumbs=${[['Users', link(['users'])]]} badges=${u && html`<${Tags} of=${tagsOf(u)} />`}>
    ${u && html`<${Edit} user=${u} label="Edit" title=${`Edit ${name}`} onDone=${live.refresh} />
    <${Ask} label="Delete" danger title=${`Delete user ${name}?`} submit="Delete" act=${async () => { await del(path`users/${name}`); go(link(['users'])); return `User ${name} is deleted.`; }}>
      <p>Its connections are closed and its permissions removed.${me.value?.name === name ? ' This is the user that you are signed in as.' : ''}</p><//>`}<//>
  <${Waiting} live=${live}>${() => html`<${Panel} title="What it is"><${Facts} of=${[['Password', u.password_hash ? `set (${u.hashing_algorithm?.replace('rabbit_password_hashing_', '')})` : 'none'], ['Limits', Array.isArray(u.limits) ? '' : pairs(u.limits)],
    ['See its', html`<a href=${link(['connections'], { name })}>connections</a>`]]} /><//><${PermissionTables} user=${name} />`}<//>`;
}
