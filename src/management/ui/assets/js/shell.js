// The frame around every page: navigation, who is signed in, pause, light and dark.

import { html, useEffect, useRef, useState } from './lib.js';
import { link, useCell, useRoute } from './router.js';
import { pause, pulse, useLive } from './live.js';
import { isAdmin, isPolicymaker, login, logout, farewell, user } from './session.js';
import { choose, theme } from './theme.js';
import { Failed, Input, Toasts } from './parts.js';
import { Jump } from './jump.js';
import { brief } from './format.js';

const WATCH = [['', 'Overview'], ['queues', 'Queues', 'queues'], ['exchanges', 'Exchanges', 'exchanges'], ['connections', 'Connections', 'connections'], ['channels', 'Channels', 'channels'], ['consumers', 'Consumers', 'consumers']];
const ADMIN = [
  ['vhosts', 'Virtual hosts', isAdmin], ['users', 'Users', isAdmin], ['permissions', 'Permissions', isAdmin], ['policies', 'Policies', isPolicymaker], ['limits', 'Limits', isAdmin],
  ['definitions', 'Definitions', isPolicymaker], ['logs', 'Live log', isAdmin],
];

function Navigation({ open, overview }) {
  const { segments } = useRoute();
  const here = segments[0] ?? '';
  const item = ([id, text, counted]) => html`<li key=${id}><a href=${link(id ? [id] : [])} aria-current=${here === id ? 'page' : undefined}>${text}
    ${typeof counted === 'string' && overview && html`<span class="count">${brief(overview.object_totals?.[counted])}</span>`}</a></li>`;
  return html`<div class=${open ? 'side open' : 'side'} id="side">
    <a class="brand" href="#/"><img src="icon.svg" alt="" />Leveret</a>
    <nav aria-label="Watch"><ul>${WATCH.map(item)}</ul></nav>
    ${isPolicymaker() && html`<nav aria-labelledby="side-admin"><h2 id="side-admin">Administer</h2><ul>${ADMIN.filter(([, , may]) => may()).map(([id, text]) => item([id, text]))}</ul></nav>`}
    <div class="foot">${overview && html`<div title=${`${overview.product_name} ${overview.product_version}`}>${overview.product_name} ${overview.product_version}</div><div>${overview.cluster_name}</div>`}</div>
  </div>`;
}

function Top({ onMenu, open }) {
  const state = useCell(pulse);
  const who = useCell(user);
  const chosen = useCell(theme);
  const words = { on: 'live', off: 'paused', lost: 'no answer' };
  return html`<header class="top">
    <button type="button" class="button small menu-button" aria-expanded=${open} aria-controls="side" onClick=${onMenu}>Menu</button>
    <${Jump} />
    <span class="grow"></span>
    <span class=${`pulse ${state}`} role="status"><i aria-hidden="true"></i>${words[state]}</span>
    <button type="button" class="button small" aria-pressed=${state === 'off'} onClick=${() => pause(state !== 'off')}>${state === 'off' ? 'Resume' : 'Pause'}</button>
    <label><span class="hidden-text">Colours</span><select id="theme" value=${chosen} onChange=${(e) => choose(e.target.value)}>
      ${[['system', 'As the system'], ['light', 'Light'], ['dark', 'Dark']].map(([v, text]) => html`<option key=${v} value=${v} selected=${v === chosen}>${text}</option>`)}</select></label>
    <span title=${`tags: ${who.tags}`}>${who.name}</span>
    <button type="button" class="button small" onClick=${logout}>Sign out</button>
  </header>`;
}

export function Frame({ children }) {
  const [open, setOpen] = useState(false);
  const where = useRoute();
  const overview = useLive('overview?columns=object_totals,product_name,product_version,cluster_name', { quiet: true });
  const state = useCell(pulse);
  const main = useRef(null);
  useEffect(() => setOpen(false), [where.segments.join('/')]);
  const skip = (e) => { e.preventDefault(); main.current.querySelector('h1')?.focus(); };
  return html`<a class="skip" href="#main" onClick=${skip}>Skip to the content</a>
    <div class="frame">
      <${Navigation} open=${open} overview=${overview.data} />
      <${Top} onMenu=${() => setOpen(!open)} open=${open} />
      <main ref=${main} id="main">
        ${state === 'lost' && html`<div class="notice warn" role="alert"><strong>The broker does not answer.</strong><p class="todo">What you see is the last that it said. The page goes on by itself when it answers.</p></div>`}
        ${children}
      </main>
    </div>
    <${Toasts} />`;
}

export function Login() {
  const reason = useCell(farewell);
  const [state, setState] = useState({ busy: false, error: null });
  useEffect(() => { document.title = 'Sign in · Leveret'; }, []);
  const send = async (event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    setState({ busy: true, error: null });
    try {
      await login(form.get('username'), form.get('password'));
    } catch (error) {
      setState({ busy: false, error });
    }
  };
  return html`<main class="login"><form class="panel" onSubmit=${send}>
    <h1 class="brand"><img src="icon.svg" alt="" />Leveret</h1>
    ${reason && !state.error && html`<div class="notice" role="status">${reason}</div>`}
    <${Failed} error=${state.error} />
    <${Input} label="User name" name="username" autocomplete="username" required autofocus />
    <${Input} label="Password" name="password" type="password" autocomplete="current-password" required />
    <button class="button main" disabled=${state.busy}>${state.busy ? 'Signing in …' : 'Sign in'}</button>
  </form></main>`;
}
