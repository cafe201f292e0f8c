// Policies and operator policies, with what they would match before they are set.

import { html, useEffect, useState } from '../lib.js';
import { del, get, path, put } from '../api.js';
import { useLive } from '../live.js';
import { change, go, link, to, useCell, useRoute } from '../router.js';
import { Badge, Ask, Dialog, Facts, Field, Form, Head, Input, Panel, Select, Waiting } from '../parts.js';
import { Args, OPERATOR_HINTS, POLICY_HINTS, tableOf, useRows } from '../args.js';
import { LocalTable, VhostSelect } from '../table.js';
import { count, pairs, plural } from '../format.js';
import { isAdmin, vhosts } from '../session.js';

const APPLY = [['queues', 'Queues'], ['exchanges', 'Exchanges'], ['all', 'Queues and exchanges'], ['classic_queues', 'Classic queues'], ['quorum_queues', 'Quorum queues']];
/** Names that the preview looks at and shows. */
const LOOKED_AT = 500;
const SHOWN = 12;

const QUEUE_TYPES = { classic_queues: 'classic', quorum_queues: 'quorum' };

async function matches(vhost, pattern, apply, signal) {
  const regex = new RegExp(pattern);
  const ask = async (kind) => {
    const page = await get(path`${kind}/${vhost}` + `?page=1&page_size=${LOOKED_AT}&pagination=true&use_regex=true&name=${encodeURIComponent(pattern)}&columns=name,vhost,type,policy`, { signal });
    return { more: page.filtered_count > LOOKED_AT, items: page.items.filter((x) => x.name !== '' && regex.test(x.name)).map((x) => ({ ...x, kind })) };
  };
  const kinds = apply === 'all' ? ['queues', 'exchanges'] : apply === 'exchanges' ? ['exchanges'] : ['queues'];
  const found = await Promise.all(kinds.map(ask));
  const items = found.flatMap((f) => f.items).filter((x) => !QUEUE_TYPES[apply] || x.type === QUEUE_TYPES[apply]);
  return { items, more: found.some((f) => f.more) };
}

/** What a pattern matches now, as it is typed. */
function Preview({ vhost, pattern, apply }) {
  const [state, setState] = useState({ items: [] });
  useEffect(() => {
    const control = new AbortController();
    const timer = setTimeout(() => {
      if (!vhost) return;
      matches(vhost, pattern, apply, control.signal).then(setState, (error) => error.name !== 'AbortError' && setState({ error }));
    }, 200);
    return () => { clearTimeout(timer); control.abort(); };
  }, [vhost, pattern, apply]);
  if (state.error) return html`<p class="hint" role="status">The pattern cannot be tried: ${state.error.message}</p>`;
  return html`<div role="status" class="notice" data-preview=${state.items.length}><strong>Matches ${state.more ? 'more than ' : ''}${plural(state.items.length, 'name')} now</strong>
    <div class="badges">${state.items.slice(0, SHOWN).map((x) => html`<${Badge} key=${x.kind + x.name} title=${x.policy ? `has policy ${x.policy}` : x.kind}>${x.name}<//>`)}${state.items.length > SHOWN && html`<span class="hint">and ${count(state.items.length - SHOWN)} more</span>`}</div></div>`;
}

function EditForm({ policy, operator, onDone, onCancel, preset }) {
  const list = useCell(vhosts);
  const [rows, setRows] = useRows(policy?.definition);
  const [{ vhost, pattern, apply }, set] = useState({ vhost: policy?.vhost ?? preset?.vhost ?? list[0], pattern: policy?.pattern ?? preset?.pattern ?? '^', apply: policy?.['apply-to'] ?? 'queues' });
  const hints = operator ? OPERATOR_HINTS : POLICY_HINTS;
  const act = async (form) => {
    const name = policy?.name ?? form.get('name').trim();
    const definition = tableOf(rows);
    if (!Object.keys(definition).length) throw new Error('A policy needs at least one setting.');
    await put(path`${operator ? 'operator-policies' : 'policies'}/${vhost}/${name}`, { pattern, definition, priority: Number(form.get('priority')) || 0, 'apply-to': apply });
    return `Policy ${name} is in effect.`;
  };
  return html`<${Form} submit="Save" onSubmit=${act} onDone=${onDone} onCancel=${onCancel}>
    <div class="row">${!policy && html`<${Input} label="Name" name="name" required autofocus />`}
      ${!policy && html`<${Field} label="Virtual host"><select value=${vhost} onChange=${(e) => set((s) => ({ ...s, vhost: e.target.value }))}>${list.map((v) => html`<option key=${v} value=${v} selected=${v === vhost}>${v}</option>`)}</select><//>`}
      <${Input} label="Priority" name="priority" type="number" value=${policy?.priority ?? 0} hint="the highest that matches wins" /></div>
    <div class="row"><${Field} label="Pattern" hint="a regular expression on names"><input class="mono" required value=${pattern} onInput=${(e) => set((s) => ({ ...s, pattern: e.target.value }))} autocomplete="off" spellcheck=${false} /><//>
      <${Field} label="Applies to"><select value=${apply} onChange=${(e) => set((s) => ({ ...s, apply: e.target.value }))}>${APPLY.filter(([v]) => !operator || v.includes('queues')).map(([v, text]) => html`<option key=${v} value=${v} selected=${v === apply}>${text}</option>`)}</select><//></div>
    <${Preview} vhost=${vhost} pattern=${pattern} apply=${apply} />
    <${Args} label="Settings" rows=${rows} setRows=${setRows} hints=${hints} />
  <//>`;
}

function Edit({ label, title, kind, small, open: opened = false, onClosed, ...rest }) {
  const [open, setOpen] = useState(opened);
  const close = () => { setOpen(false); onClosed?.(); };
  return html`<button type="button" class=${`button ${kind ?? ''}${small ? ' small' : ''}`} aria-haspopup="dialog" onClick=${() => setOpen(true)}>${label}</button>
    ${open && html`<${Dialog} title=${title} onClose=${close}><${EditForm} ...${rest} onCancel=${close} onDone=${() => { close(); rest.refresh(); }} /><//>`}`;
}

function Remove({ policy, operator, refresh, small = true }) {
  return html`<${Ask} small=${small} danger label="Delete" title=${`Delete policy ${policy.name}?`} submit="Delete" act=${async () => { await del(path`${operator ? 'operator-policies' : 'policies'}/${policy.vhost}/${policy.name}`); refresh(); return `Policy ${policy.name} is deleted.`; }}>
    <p>What it set ends at once for all that it matches (${policy.pattern}).</p><//>`;
}

function List({ operator }) {
  const { query } = useRoute();
  const vhost = query.get('vhost') ?? '';
  const resource = operator ? 'operator-policies' : 'policies';
  const live = useLive(resource + (vhost ? path`/${vhost}` : ''));
  const may = !operator || isAdmin();
  const preset = !operator && query.get('add') ? { vhost, pattern: query.get('pattern') ?? '^' } : undefined;
  const title = operator ? 'Operator policies' : 'Policies';
  return html`<${Panel} title=${title} count=${live.data && count(live.data.length)} actions=${may && html`<${Edit} label=${operator ? 'Add operator policy' : 'Add policy'} title=${`Add ${operator ? 'an operator' : 'a'} policy`} kind="main" operator=${operator} preset=${preset} open=${preset !== undefined} onClosed=${() => preset && change({ add: '', pattern: '' })} refresh=${live.refresh} />`}>
    ${operator && html`<p class="hint">They hold whatever policies and arguments say: the smaller limit wins.</p>`}
    <${Waiting} live=${live}>${(list) => html`<${LocalTable} caption=${title} rows=${list} rowKey=${(p) => `${p.vhost}/${p.name}`} empty="None." columns=${[
    { key: 'vhost', label: 'Virtual host', sort: 'vhost' },
    { key: 'name', label: 'Name', sort: 'name', className: 'name', render: (p) => (operator ? p.name : html`<a href=${to.policy(p.vhost, p.name)}>${p.name}</a>`) },
    { key: 'pattern', label: 'Pattern', sort: 'pattern', render: (p) => html`<code>${p.pattern}</code>` },
    { key: 'apply', label: 'Applies to', sort: 'apply-to', render: (p) => APPLY.find(([v]) => v === p['apply-to'])?.[1] ?? p['apply-to'] },
    { key: 'definition', label: 'Settings', className: 'name', render: (p) => pairs(p.definition) },
    { key: 'priority', label: 'Priority', num: true, sort: 'priority' },
    { key: 'act', label: '', num: true, render: (p) => may && html`<span class="flow"><${Edit} small label="Edit" title=${`Edit ${p.name}`} policy=${p} operator=${operator} refresh=${live.refresh} /><${Remove} policy=${p} operator=${operator} refresh=${live.refresh} /></span>` },
  ]} />`}<//><//>`;
}

export function Policies() {
  const { query } = useRoute();
  return html`<${Head} title="Policies"><${VhostSelect} value=${query.get('vhost') ?? ''} onChange=${(v) => change({ vhost: v })} /><//><${List} /><${List} operator />`;
}

export function Policy({ names: [vhost, name] }) {
  const live = useLive(path`policies/${vhost}/${name}`);
  const p = live.data;
  return html`<${Head} title=${name} crumbs=${[['Policies', link(['policies'])], [vhost, link(['policies'], { vhost })]]}>
    ${p && html`<${Edit} label="Edit" title=${`Edit ${name}`} policy=${p} refresh=${live.refresh} /><${Remove} small=${false} policy=${p} refresh=${() => go(link(['policies']))} />`}<//>
  <${Waiting} live=${live}>${() => html`<${Panel} title="What it says"><${Facts} of=${[['Virtual host', html`<a href=${to.vhost(vhost)}>${vhost}</a>`], ['Pattern', html`<code>${p.pattern}</code>`], ['Applies to', APPLY.find(([v]) => v === p['apply-to'])?.[1] ?? p['apply-to']], ['Priority', count(p.priority)], ...Object.entries(p.definition ?? {}).map(([k, v]) => [k, pairs({ [k]: v }).slice(k.length + 3)])]} /><//>
    <${Preview} vhost=${vhost} pattern=${p.pattern} apply=${p['apply-to']} />`}<//>`;
}
