// Goes anywhere by name: pages, queues, exchanges and users, from the keyboard (Ctrl+K).

import { html, useEffect, useState } from './lib.js';
import { get } from './api.js';
import { go, link, to } from './router.js';
import { Dialog } from './parts.js';
import { exchangeName } from './format.js';
import { isAdmin } from './session.js';

const PAGES = [['Overview', []], ['Queues', ['queues']], ['Exchanges', ['exchanges']], ['Connections', ['connections']], ['Channels', ['channels']], ['Consumers', ['consumers']],
  ['Virtual hosts', ['vhosts']], ['Users', ['users']], ['Permissions', ['permissions']], ['Policies', ['policies']], ['Limits', ['limits']], ['Definitions', ['definitions']], ['Live log', ['logs']]]
  .map(([text, segments]) => ({ text, kind: 'page', href: link(segments) }));

async function find(text, signal) {
  const ask = (kind, columns) => get(`${kind}?page=1&page_size=8&pagination=true&columns=${columns}&use_regex=false&name=${encodeURIComponent(text)}`, { signal }).then((page) => page.items ?? [], () => []);
  const [queues, exchanges, users] = await Promise.all([ask('queues', 'name,vhost'), ask('exchanges', 'name,vhost'), isAdmin() ? get('users?columns=name', { signal }).catch(() => []) : []]);
  return [
    ...queues.map((q) => ({ text: q.name, kind: `queue in ${q.vhost}`, href: to.queue(q.vhost, q.name) })),
    ...exchanges.map((x) => ({ text: exchangeName(x.name), kind: `exchange in ${x.vhost}`, href: to.exchange(x.vhost, x.name) })),
    ...users.filter((u) => u.name.includes(text)).slice(0, 5).map((u) => ({ text: u.name, kind: 'user', href: to.user(u.name) })),
  ];
}

function Palette({ onClose }) {
  const [text, setText] = useState('');
  const [found, setFound] = useState([]);
  const [at, setAt] = useState(0);
  useEffect(() => {
    setAt(0);
    if (!text.trim()) { setFound([]); return undefined; }
    const control = new AbortController();
    const timer = setTimeout(() => find(text.trim(), control.signal).then((list) => !control.signal.aborted && setFound(list)), 120);
    return () => { clearTimeout(timer); control.abort(); };
  }, [text]);
  const list = [...PAGES.filter((p) => p.text.toLowerCase().includes(text.trim().toLowerCase())), ...found];
  const open = (item) => { onClose(); if (item) go(item.href); };
  const keys = (e) => {
    if (e.key === 'ArrowDown' || e.key === 'ArrowUp') {
      e.preventDefault();
      setAt((at + (e.key === 'ArrowDown' ? 1 : list.length - 1)) % Math.max(1, list.length));
    } else if (e.key === 'Enter') { e.preventDefault(); open(list[at]); }
  };
  return html`<${Dialog} title="Go to" onClose=${onClose} className="jump">
    <input type="search" role="combobox" aria-label="Name of a page, queue, exchange or user" aria-expanded="true" aria-controls="jump-list" aria-activedescendant=${list[at] ? `jump-${at}` : undefined}
      autofocus autocomplete="off" spellcheck=${false} value=${text} onInput=${(e) => setText(e.target.value)} onKeyDown=${keys} />
    <ul id="jump-list" role="listbox" aria-label="Matches">${list.map((item, i) => html`<li key=${item.href} id=${`jump-${i}`} role="option" aria-selected=${i === at} onClick=${() => open(item)}>${item.text}<span>${item.kind}</span></li>`)}</ul>
  <//>`;
}

export function Jump() {
  const [open, setOpen] = useState(false);
  useEffect(() => {
    const keys = (e) => { if ((e.ctrlKey || e.metaKey) && e.key.toLowerCase() === 'k') { e.preventDefault(); setOpen(true); } };
    const close = () => setOpen(false);
    addEventListener('keydown', keys);
    addEventListener('hashchange', close);
    return () => { removeEventListener('keydown', keys); removeEventListener('hashchange', close); };
  }, []);
  return html`<button type="button" class="button" aria-haspopup="dialog" onClick=${() => setOpen(true)}>Go to … <kbd class="hint">Ctrl K</kbd></button>${open && html`<${Palette} onClose=${() => setOpen(false)} />`}`;
}
