// Tables: of what a page has at hand, and of lists that the broker pages, sorts and filters.

import { html, useEffect, useMemo, useRef, useState } from './lib.js';
import { change, useRoute } from './router.js';
import { useLive } from './live.js';
import { count, get } from './format.js';
import { Empty, Failed } from './parts.js';
import { vhosts } from './session.js';
import { useCell } from './router.js';

function Heading({ column, sort, down, onSort }) {
  if (!column.sort || !onSort) return html`<th scope="col" class=${`${column.num ? 'num' : ''} ${column.className ?? ''}`} title=${column.title}>${column.label}</th>`;
  const active = sort === column.sort;
  return html`<th scope="col" class=${column.num ? 'num' : ''} aria-sort=${active ? (down ? 'descending' : 'ascending') : undefined} title=${column.title}>
    <button type="button" onClick=${() => onSort(column.sort, active ? !down : Boolean(column.num))}>${column.label}<span aria-hidden="true">${active ? (down ? '↓' : '↑') : ''}</span></button></th>`;
}

/** What is nothing stays in the background, so that the rest stands out. */
const NOTHING = new Set([0, '0', '0/s', '0 B/s', '0 B', '–']);

function Cell({ column, row }) {
  const shown = column.render ? column.render(row) : get(row, column.key);
  return html`<td class=${`${column.num ? 'num' : ''} ${NOTHING.has(shown) ? 'idle' : ''} ${column.className ?? ''}`}>${shown}</td>`;
}

/** `columns`: `[{ key, label, render(row), sort, num }]`. */
export function Table({ caption, columns, rows, rowKey, rowClass = () => '', sort, down, onSort, empty = 'Nothing here.', picked, onPick }) {
  if (!rows.length) return html`<${Empty}>${empty}<//>`;
  const all = picked && rows.every((r) => picked.has(rowKey(r)));
  return html`<div class="scroll"><table class="lines"><caption class="hidden-text">${caption}</caption>
    <thead><tr>
      ${picked && html`<th scope="col"><input type="checkbox" aria-label="Select all on this page" checked=${all} onChange=${() => onPick(all ? [] : rows.map(rowKey))} /></th>`}
      ${columns.map((c) => html`<${Heading} key=${c.key} column=${c} sort=${sort} down=${down} onSort=${onSort} />`)}
    </tr></thead>
    <tbody>${rows.map((row) => { const key = rowKey(row); return html`<tr key=${key} class=${rowClass(row)}>
      ${picked && html`<td><input type="checkbox" aria-label=${`Select ${key}`} checked=${picked.has(key)} onChange=${() => { const next = new Set(picked); if (!next.delete(key)) next.add(key); onPick([...next]); }} /></td>`}
      ${columns.map((c) => html`<${Cell} key=${c.key} column=${c} row=${row} />`)}
    </tr>`; })}</tbody></table></div>`;
}

/** Sorts what is at hand by a column's values. */
export function LocalTable({ columns, rows, ...rest }) {
  const [{ by, down }, setSort] = useState({ by: null, down: false });
  const sorted = useMemo(() => (by === null ? rows : [...rows].sort((a, b) => {
    const [x, y] = [get(a, by) ?? '', get(b, by) ?? ''];
    const order = typeof x === 'number' && typeof y === 'number' ? x - y : String(x).localeCompare(String(y));
    return down ? -order : order;
  })), [rows, by, down]);
  return html`<${Table} columns=${columns} rows=${sorted} sort=${by} down=${down} onSort=${(key, reverse) => setSort({ by: key, down: reverse })} ...${rest} />`;
}

const storedColumns = (name) => { try { return JSON.parse(localStorage.getItem(`columns.${name}`)); } catch { return null; } };

function useColumns(name, columns) {
  const [hidden, setHidden] = useState(() => storedColumns(name) ?? columns.filter((c) => c.optional).map((c) => c.key));
  const toggle = (key) => setHidden((before) => {
    const next = before.includes(key) ? before.filter((k) => k !== key) : [...before, key];
    localStorage.setItem(`columns.${name}`, JSON.stringify(next));
    return next;
  });
  return { shown: columns.filter((c) => !hidden.includes(c.key)), hidden, toggle };
}

/** A text field that tells of its changes when typing rests. */
function Search({ value, label, onChange }) {
  const [text, setText] = useState(value);
  const timer = useRef(0);
  const sent = useRef(value);
  // Only what came from elsewhere replaces the text: not the answer to what was typed a moment ago.
  useEffect(() => {
    if (value === sent.current) return;
    sent.current = value;
    setText(value);
  }, [value]);
  const changed = (e) => {
    setText(e.target.value);
    clearTimeout(timer.current);
    const typed = e.target.value;
    timer.current = setTimeout(() => { sent.current = typed; onChange(typed); }, 250);
  };
  return html`<label><span class="hidden-text">${label}</span><input type="search" placeholder=${label} value=${text} onInput=${changed} /></label>`;
}

export function VhostSelect({ value, onChange, any = true, label = 'Virtual host' }) {
  const list = useCell(vhosts);
  return html`<label class="check"><span>${label}</span><select value=${value} onChange=${(e) => onChange(e.target.value)}>
    ${any && html`<option value="">all</option>`}${list.map((v) => html`<option key=${v} value=${v} selected=${v === value}>${v}</option>`)}</select></label>`;
}

/** What is asked of the broker, from what stands in the address. */
export function listPath(resource, query, { sort, down, vhosted, extra = {} }) {
  const params = new URLSearchParams({
    page: query.get('page') ?? '1',
    page_size: query.get('size') ?? '100',
    name: query.get('name') ?? '',
    use_regex: query.get('regex') ? 'true' : 'false',
    pagination: 'true',
    ...extra,
  });
  const by = query.get('sort') ?? sort;
  if (by) params.set('sort', by);
  if (by && (query.has('sort') ? query.get('down') === '1' : down)) params.set('sort_reverse', 'true');
  const vhost = vhosted && query.get('vhost');
  return `${resource}${vhost ? `/${encodeURIComponent(vhost)}` : ''}?${params}`;
}

/**
 * A list that the broker pages. Filter, order and page are in the address.
 * `chips`: `[{ id, label, title }]`, sent as `only=`.
 */
export function PagedList({ name, resource, columns, rowKey, rowClass, sort, down = false, vhosted = true, chips = [], extra, empty, bulk, tools, refreshRef }) {
  const { query } = useRoute();
  const only = (query.get('only') ?? '').split(',').filter(Boolean);
  const live = useLive(listPath(resource, query, { sort, down, vhosted, extra: { ...extra, ...(only.length ? { only: only.join(',') } : {}) } }));
  const { shown, hidden, toggle } = useColumns(name, columns);
  const [picked, setPicked] = useState(new Set());
  if (refreshRef) refreshRef.current = live.refresh;
  const page = live.data ?? {};
  const rows = Array.isArray(page) ? page : page.items ?? [];
  const by = query.get('sort') ?? sort;
  const reverse = query.has('sort') ? query.get('down') === '1' : down;
  const filter = (values) => change({ page: '', ...values });
  useEffect(() => {
    if (live.error?.message === 'page_out_of_range' || /out of range|page_out_of_range/i.test(live.error?.message ?? '')) change({ page: '' });
  }, [live.error]);
  const chosen = rows.filter((r) => picked.has(rowKey(r)));
  const done = () => { setPicked(new Set()); live.refresh(); };
  return html`<section class="panel flush" aria-label=${`List of ${name}`}>
    <div class="toolbar" role="search">
      <${Search} label=${`Search ${name}`} value=${query.get('name') ?? ''} onChange=${(v) => filter({ name: v })} />
      <label class="check"><input type="checkbox" checked=${query.has('regex')} onChange=${(e) => filter({ regex: e.target.checked ? '1' : '' })} />Regex</label>
      ${vhosted && html`<${VhostSelect} value=${query.get('vhost') ?? ''} onChange=${(v) => filter({ vhost: v })} />`}
      ${chips.length > 0 && html`<div class="chips" role="group" aria-label="Filters">${chips.map((c) => html`<button type="button" key=${c.id} class="chip" title=${c.title} aria-pressed=${only.includes(c.id)}
        onClick=${() => filter({ only: (only.includes(c.id) ? only.filter((o) => o !== c.id) : [...only, c.id]).join(',') })}>${c.label}</button>`)}</div>`}
      <span class="grow"></span>
      ${tools}
      <details class="popup"><summary class="button small">Columns</summary><div>${columns.filter((c) => !c.fixed).map((c) => html`
        <label class="check" key=${c.key}><input type="checkbox" checked=${!hidden.includes(c.key)} onChange=${() => toggle(c.key)} />${c.label}</label>`)}</div></details>
    </div>
    <div aria-live="polite" class="hidden-text">${live.data ? `${count(page.filtered_count ?? rows.length)} ${name}` : ''}</div>
    ${live.error && html`<div class="toolbar"><${Failed} error=${live.error} /></div>`}
    ${bulk && chosen.length > 0 && html`<div class="toolbar" role="group" aria-label="With the selected"><strong>${chosen.length} selected</strong>${bulk(chosen, done)}</div>`}
    ${live.data === undefined && !live.error ? html`<div class="empty" role="status">Asking the broker …</div>` : html`<${Table} caption=${`List of ${name}`} columns=${shown} rows=${rows} rowKey=${rowKey} rowClass=${rowClass} sort=${by} down=${reverse}
      onSort=${(key, rev) => filter({ sort: key, down: rev ? '1' : '0' })} empty=${query.get('name') || only.length ? `No ${name} match the filter.` : empty} picked=${bulk ? picked : undefined} onPick=${(keys) => setPicked(new Set(keys))} />`}
    <${Pager} page=${page} query=${query} shown=${rows.length} />
  </section>`;
}

function Pager({ page, query, shown }) {
  const at = Number(query.get('page') ?? '1');
  const of = page.page_count ?? 1;
  const size = Number(query.get('size') ?? '100');
  const total = page.filtered_count ?? shown;
  const turn = (to) => change({ page: to === 1 ? '' : to });
  return html`<nav class="pager" aria-label="Pages">
    <span>${total ? `${count((at - 1) * size + 1)}–${count((at - 1) * size + shown)} of ${count(total)}` : 'none'}${page.total_count > total ? ` (${count(page.total_count)} in all)` : ''}</span>
    <span class="grow"></span>
    ${of > 1 && html`
      <button type="button" class="button small" disabled=${at <= 1} onClick=${() => turn(1)} aria-label="First page">«</button>
      <button type="button" class="button small" disabled=${at <= 1} onClick=${() => turn(at - 1)}>Previous</button>
      <span>page ${at} of ${of}</span>
      <button type="button" class="button small" disabled=${at >= of} onClick=${() => turn(at + 1)}>Next</button>
      <button type="button" class="button small" disabled=${at >= of} onClick=${() => turn(of)} aria-label="Last page">»</button>`}
    <label class="check">per page <select value=${String(size)} aria-label="Rows per page" onChange=${(e) => change({ size: e.target.value === '100' ? '' : e.target.value, page: '' })}>
      ${['25', '50', '100', '200', '500'].map((n) => html`<option key=${n} value=${n} selected=${n === String(size)}>${n}</option>`)}</select></label>
  </nav>`;
}
