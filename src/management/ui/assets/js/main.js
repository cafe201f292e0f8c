// Starts the pages: who is signed in, and which page an address means.

import { html, render, useEffect, useErrorBoundary } from './lib.js';
import { link, useCell, useRoute } from './router.js';
import { resume, user } from './session.js';
import { Frame, Login } from './shell.js';
import { Head } from './parts.js';
import './theme.js';
import { Overview } from './pages/overview.js';
import { Queues } from './pages/queues.js';
import { Queue } from './pages/queue.js';
import { Exchange, Exchanges } from './pages/exchanges.js';
import { Connection, Connections } from './pages/connections.js';
import { Channel, Channels, Consumers } from './pages/channels.js';
import { Vhost, Vhosts } from './pages/vhosts.js';
import { User, Users } from './pages/users.js';
import { Permissions } from './pages/permissions.js';
import { Policies, Policy } from './pages/policies.js';
import { Limits } from './pages/limits.js';
import { Definitions } from './pages/definitions.js';
import { Logs } from './pages/logs.js';
import { Node } from './pages/node.js';

/** First segment, number of segments after it, page. The segments are the page's names, in order. */
const PAGES = [
  ['', 0, Overview],
  ['queues', 0, Queues], ['queues', 1, ({ names: [vhost] }) => html`<${Elsewhere} to=${link(['queues'], { vhost })} />`], ['queues', 2, Queue],
  ['exchanges', 0, Exchanges], ['exchanges', 1, ({ names: [vhost] }) => html`<${Elsewhere} to=${link(['exchanges'], { vhost })} />`], ['exchanges', 2, Exchange],
  ['connections', 0, Connections], ['connections', 1, Connection],
  ['channels', 0, Channels], ['channels', 1, Channel],
  ['consumers', 0, Consumers],
  ['vhosts', 0, Vhosts], ['vhosts', 1, Vhost],
  ['users', 0, Users], ['users', 1, User],
  ['permissions', 0, Permissions],
  ['policies', 0, Policies], ['policies', 2, Policy],
  ['limits', 0, Limits],
  ['definitions', 0, Definitions],
  ['logs', 0, Logs],
  ['nodes', 0, () => html`<${Elsewhere} to="#/" />`], ['nodes', 1, Node],
];

function Elsewhere({ to }) {
  useEffect(() => { location.replace(to); }, [to]);
  return null;
}

const Lost = () => html`<${Head} title="There is no such page" /><p>Go to the <a href="#/">overview</a>, or search with Ctrl+K.</p>`;

function Page() {
  const { segments } = useRoute();
  const [error, reset] = useErrorBoundary();
  const trimmed = segments.at(-1) === '' ? segments.slice(0, -1) : segments;
  const [first = '', ...names] = trimmed;
  useEffect(() => { if (error) reset(); window.scrollTo(0, 0); }, [trimmed.join('/')]);
  if (error) return html`<${Head} title="This page failed" /><div class="notice bad" role="alert"><strong>${String(error.message ?? error)}</strong><p class="todo">Reload the page. If it fails again, the broker's pages have a defect: please report this text.</p></div>`;
  const [, , View] = PAGES.find(([name, n]) => name === first && n === names.length) ?? [, , Lost];
  return html`<${View} key=${trimmed.join('/')} names=${names} />`;
}

function App() {
  const who = useCell(user);
  if (who === undefined) return html`<div class="empty" role="status">Leveret …</div>`;
  return who === null ? html`<${Login} />` : html`<${Frame}><${Page} /><//>`;
}

render(html`<${App} />`, document.getElementById('app'));
resume();
