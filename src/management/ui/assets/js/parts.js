// What every page is made of: headings, panels, notices, dialogs, form fields.

import { html, Cell, useEffect, useLayoutEffect, useRef, useState } from './lib.js';
import { useCell } from './router.js';
import { moment } from './format.js';

/** What has just happened, shown for a while and read out. */
const toasts = new Cell([]);
let nextToast = 1;

function dismiss(id) { toasts.set(toasts.value.filter((t) => t.id !== id)); }

export function say(text, kind = 'good', advice = '') {
  const id = nextToast++;
  toasts.set([...toasts.value.slice(-3), { id, text, kind, advice }]);
  setTimeout(() => dismiss(id), kind === 'bad' ? 20000 : 6000);
}

export const complain = (error) => say(error.message, 'bad', error.advice ?? '');

export function Toasts() {
  const list = useCell(toasts);
  return html`<div class="toasts" role="status" aria-live="polite">${list.map((t) => html`
    <div key=${t.id} class=${`notice ${t.kind}`}>
      <div><strong>${t.text}</strong>${t.advice && html`<p class="todo">${t.advice}</p>`}</div>
      <button type="button" class="button small" onClick=${() => dismiss(t.id)} aria-label="Dismiss">✕</button>
    </div>`)}</div>`;
}

/** The title of a page. It takes the focus when the page is opened, so that it is read first. */
export function Head({ title, crumbs, badges, children }) {
  const ref = useRef(null);
  const text = typeof title === 'string' ? title : '';
  useEffect(() => {
    document.title = text ? `${text} · Leveret` : 'Leveret';
    if (document.activeElement === document.body || document.activeElement?.closest('.side')) ref.current?.focus({ preventScroll: true });
  }, [text]);
  return html`<div class="head">
    <div class="grow">
      ${crumbs && html`<nav class="crumbs" aria-label="Where you are">${crumbs.map(([label, href]) => html`<span key=${label}><a href=${href}>${label}</a> ›</span>`)}</nav>`}
      <div class="flow"><h1 tabindex="-1" ref=${ref}>${title}</h1>${badges && html`<span class="badges">${badges}</span>`}</div>
    </div>
    ${children && html`<div class="actions">${children}</div>`}
  </div>`;
}

let nextId = 1;
const useId = () => useState(() => `id${nextId++}`)[0];

export function Panel({ title, count, flush, children, actions }) {
  const id = useId();
  return html`<section class=${flush ? 'panel flush' : 'panel'} aria-labelledby=${title ? id : undefined}>
    ${title && html`<div class="panel-head"><h2 id=${id}>${title}</h2>${count !== undefined && html`<span class="count">${count}</span>`}<span class="grow"></span>${actions}</div>`}
    ${children}
  </section>`;
}

export const Badge = ({ kind = '', title, children }) => html`<span class=${`badge ${kind}`} title=${title}>${children}</span>`;
export const Empty = ({ children }) => html`<div class="empty">${children}</div>`;

/** An error with what to do about it. */
export function Failed({ error }) {
  if (!error) return null;
  return html`<div class="notice bad" role="alert"><strong>${error.message}</strong>${error.advice && html`<p class="todo">${error.advice}</p>`}</div>`;
}

/** What a live page shows before its first answer, or instead of it. */
export function Waiting({ live, children }) {
  if (live.data !== undefined && live.data !== null) return html`<${Failed} error=${live.error} />${children(live.data)}`;
  return live.error ? html`<${Failed} error=${live.error} />` : html`<div class="empty" role="status">Asking the broker …</div>`;
}

export const Facts = ({ of }) => html`<dl class="facts">${of.filter(([, v]) => v !== undefined && v !== null && v !== '').flatMap(([k, v]) => [html`<dt key=${k}>${k}</dt>`, html`<dd>${v}</dd>`])}</dl>`;

export const When = ({ at }) => html`<time title=${moment(at)}>${moment(at)}</time>`;

export function Meter({ part, of, kind = '', label }) {
  const share = of > 0 ? Math.min(100, (100 * part) / of) : 0;
  return html`<div class=${`meter ${kind}`} role="img" aria-label=${`${label}: ${Math.round(share)} percent`}><i style=${{ width: `${share}%` }}></i></div>`;
}

/** A modal dialog. The browser keeps the focus inside and gives it back; Escape closes. */
export function Dialog({ title, onClose, children, className = '' }) {
  const ref = useRef(null);
  const id = useId();
  useLayoutEffect(() => {
    const dialog = ref.current;
    dialog.showModal();
    return () => dialog.open && dialog.close();
  }, []);
  return html`<dialog ref=${ref} aria-labelledby=${id} class=${className} onClose=${onClose} onClick=${(e) => e.target === ref.current && ref.current.close()}>
    <div class="inside"><h2 id=${id}>${title}</h2>${children}</div>
  </dialog>`;
}

/**
 * A form that sends once, shows the error with it, and closes when it has worked.
 * `onSubmit` gets the fields' values and may return what to say.
 */
export function Form({ onSubmit, submit, danger, onCancel, children, onDone }) {
  const [state, setState] = useState({ busy: false, error: null });
  const send = async (event) => {
    event.preventDefault();
    if (state.busy) return;
    setState({ busy: true, error: null });
    try {
      const said = await onSubmit(new FormData(event.target), event.target);
      setState({ busy: false, error: null });
      if (said) say(said);
      onDone?.();
    } catch (error) {
      setState({ busy: false, error });
    }
  };
  return html`<form class="form" onSubmit=${send}>
    <${Failed} error=${state.error} />
    ${children}
    <div class="buttons flow">
      <button class=${`button main${danger ? ' danger sure' : ''}`} disabled=${state.busy}>${state.busy ? 'Working …' : submit}</button>
      ${onCancel && html`<button type="button" class="button" onClick=${onCancel}>Cancel</button>`}
    </div>
  </form>`;
}

/** A button with a dialog that asks, then acts. `children` is what the dialog says and asks. */
export function Ask({ label, title, submit, danger, small, act, children, disabled, kind = '' }) {
  const [open, setOpen] = useState(false);
  return html`<button type="button" class=${`button ${kind}${danger ? ' danger' : ''}${small ? ' small' : ''}`} disabled=${disabled} aria-haspopup="dialog" onClick=${() => setOpen(true)}>${label}</button>
    ${open && html`<${Dialog} title=${title} onClose=${() => setOpen(false)}>
      <${Form} submit=${submit ?? label} danger=${danger} onSubmit=${act} onCancel=${() => setOpen(false)} onDone=${() => setOpen(false)}>${children}<//>
    <//>`}`;
}

export const Field = ({ label, hint, children }) => html`<label class="field"><span>${label}</span>${children}${hint && html`<small>${hint}</small>`}</label>`;
export const Input = ({ label, hint, ...rest }) => html`<${Field} label=${label} hint=${hint}><input autocomplete="off" spellcheck=${false} ...${rest} /><//>`;
export const Check = ({ label, ...rest }) => html`<label class="check"><input type="checkbox" ...${rest} />${label}</label>`;

/** `options`: values, or pairs of value and text. */
export const Select = ({ label, hint, options, value, ...rest }) => html`<${Field} label=${label} hint=${hint}><select ...${rest}>${options.map((o) => {
  const [v, text] = Array.isArray(o) ? o : [o, o];
  return html`<option key=${v} value=${v} selected=${v === value}>${text}</option>`;
})}</select><//>`;

export const Tabs = ({ label, tabs, current, href }) => html`<nav class="tabs" aria-label=${label}>${tabs.map(([id, text]) => html`
  <a key=${id} href=${href(id)} aria-current=${id === current ? 'page' : undefined}>${text}</a>`)}</nav>`;

/** Copies a text, and says so. */
export const Copy = ({ text, label = 'Copy' }) => html`<button type="button" class="button small" onClick=${async () => {
  try { await navigator.clipboard.writeText(text); say('Copied.'); } catch { say('The browser does not allow copying here.', 'warn', text); }
}}>${label}</button>`;
