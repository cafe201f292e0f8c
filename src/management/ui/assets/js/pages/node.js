// One node: its resources over time, its listeners, files and settings.

import { html, useState } from '../lib.js';
import { path } from '../api.js';
import { useLive } from '../live.js';
import { link } from '../router.js';
import { Badge, Facts, Head, Meter, Panel, Waiting } from '../parts.js';
import { LocalTable } from '../table.js';
import { LineChart, RANGES, levels, rangeQuery, rates } from '../chart.js';
import { brokerFindings, Verdict } from '../health.js';
import { bytes, count, duration, percent, rate } from '../format.js';

function Memory({ name }) {
  const live = useLive(path`nodes/${name}/memory`, { quiet: true });
  const parts = Object.entries(live.data?.memory ?? {}).filter(([k, v]) => typeof v === 'number' && v > 0 && k !== 'total').sort((a, b) => b[1] - a[1]);
  const total = parts.reduce((n, [, v]) => n + v, 0);
  return html`<${Panel} title="Memory by use"><${LocalTable} caption="Memory by use" rows=${parts.map(([k, v]) => ({ k, v }))} rowKey=${(r) => r.k} empty="The broker does not say." columns=${[
    { key: 'k', label: 'Use', sort: 'k', render: (r) => r.k.replaceAll('_', ' ') }, { key: 'v', label: 'Size', num: true, sort: 'v', render: (r) => bytes(r.v) },
    { key: 'share', label: 'Share', render: (r) => html`${percent(r.v, total)}<${Meter} part=${r.v} of=${total} label=${r.k} />` },
  ]} /><//>`;
}

const series = (n, keys) => keys.map(([key, label]) => ({ label, points: levels(n[`${key}_details`]) })).filter((s) => s.points.length);

export function Node({ names: [name] }) {
  const [range, setRange] = useState('60');
  const live = useLive(path`nodes/${name}` + `?${rangeQuery(range, ['node_stats'])}`);
  const n = live.data;
  const list = (items) => (items?.length ? html`<ul>${items.map((f) => html`<li key=${f}><code>${f}</code></li>`)}</ul>` : undefined);
  const churn = [['connection_created', 'Connections opened'], ['channel_created', 'Channels opened'], ['queue_declared', 'Queues declared']].map(([key, label]) => ({ label, points: rates(n?.[`${key}_details`]) })).filter((s) => s.points.length);
  return html`<${Head} title=${name} crumbs=${[['Overview', '#/']]} badges=${n && html`<${Badge} kind=${n.running ? 'good' : 'bad'}>${n.running ? 'running' : 'down'}<//>${n.being_drained && html`<${Badge} kind="warn">draining<//>`}`}>
    <label class="check">Charts show <select value=${range} onChange=${(e) => setRange(e.target.value)}>${RANGES.map((r) => html`<option key=${r.id} value=${r.id}>${r.label}</option>`)}</select></label><//>
  <${Waiting} live=${live}>${() => html`
    <${Verdict} findings=${brokerFindings({ nodes: [{ ...n, name }] })} fine="The node has room" />
    <div class="tiles">
      <div class="tile"><div class="label">Memory</div><div class="value">${bytes(n.mem_used)}</div><div class="more">alarm at ${bytes(n.mem_limit)}</div><${Meter} part=${n.mem_used} of=${n.mem_limit} kind=${n.mem_alarm ? 'bad' : ''} label="Memory used" /></div>
      <div class="tile"><div class="label">Disk free</div><div class="value">${bytes(n.disk_free)}</div><div class="more">alarm at ${bytes(n.disk_free_limit)}</div></div>
      <div class="tile"><div class="label">File descriptors</div><div class="value">${count(n.fd_used)}</div><div class="more">of ${count(n.fd_total)}</div><${Meter} part=${n.fd_used} of=${n.fd_total} label="File descriptors used" /></div>
      <div class="tile"><div class="label">Sockets</div><div class="value">${count(n.sockets_used)}</div><div class="more">of ${count(n.sockets_total)}</div><${Meter} part=${n.sockets_used} of=${n.sockets_total} label="Sockets used" /></div>
      <div class="tile"><div class="label">Up for</div><div class="value">${duration(n.uptime)}</div><div class="more">process ${n.os_pid}</div></div>
    </div>
    <div class="grid2">
      <${Panel} title="Memory"><${LineChart} label="Memory in use" show=${(v) => (v === undefined ? '–' : bytes(v))} series=${series(n, [['mem_used', 'Used']]).map((s) => ({ ...s, area: true }))} /><//>
      <${Panel} title="Disk free"><${LineChart} label="Disk free" show=${(v) => (v === undefined ? '–' : bytes(v))} series=${series(n, [['disk_free', 'Free']])} /><//>
      <${Panel} title="Descriptors and sockets"><${LineChart} label="File descriptors and sockets in use" series=${series(n, [['fd_used', 'File descriptors'], ['sockets_used', 'Sockets']])} /><//>
      <${Panel} title="Coming and going"><${LineChart} label="Objects opened a second" show=${(v) => rate(v)} series=${churn} /><//>
      <${Memory} name=${name} />
      <${Panel} title="What it is"><${Facts} of=${[['Version', n.rabbitmq_version ?? n.applications?.find((a) => a.name === 'rabbit')?.version], ['Processors', n.processors], ['Data', n.db_dir && html`<code>${n.db_dir}</code>`], ['Log files', list(n.log_files)], ['Configuration files', list(n.config_files)], ['Plugins', n.enabled_plugins?.join(', ')], ['Exchange types', n.exchange_types?.map((t) => t.name).join(', ')], ['Login by', n.auth_mechanisms?.filter((m) => m.enabled !== false).map((m) => m.name).join(', ')],
    ['Log', html`<a href=${link(['logs'])}>Live log</a>`]]} /><//>
    </div>`}<//>`;
}
