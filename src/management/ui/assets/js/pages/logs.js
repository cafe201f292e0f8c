// The broker's log as it is written, narrowed by level and text.

import { html, useEffect, useMemo, useRef, useState } from '../lib.js';
import { address } from '../api.js';
import { Head } from '../parts.js';
import { moment, plural } from '../format.js';

/** Lines that the page keeps. */
const KEPT = 2000;
const LEVELS = ['debug', 'info', 'notice', 'warning', 'error', 'critical'];
const rank = (level) => { const at = LEVELS.indexOf(level === 'warn' ? 'warning' : level === 'trace' ? 'debug' : level); return at < 0 ? 1 : at; };

function read(data) {
  try {
    const line = JSON.parse(data);
    return { level: line.level ?? 'info', text: line.line ?? `${line.time ?? line.timestamp ?? ''} [${line.level ?? 'info'}] ${line.msg ?? line.message ?? ''}` };
  } catch {
    return { level: /\[(\w+)\]/.exec(data)?.[1] ?? 'info', text: data };
  }
}

/** An event as a line: when, what, and what it is about. */
function readEvent(data) {
  const { event, timestamp_in_ms: at, ...about } = JSON.parse(data);
  const shown = Object.entries(about).map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return { level: 'info', text: [moment(at), event, ...shown].join(' ') };
}

const VIEWS = { lines: 'Log lines', events: 'Events' };

export function Logs() {
  const [view, setView] = useState('lines');
  const [lines, setLines] = useState([]);
  const [state, setState] = useState('connecting');
  const [held, setHeld] = useState(false);
  const [level, setLevel] = useState('info');
  const [text, setText] = useState('');
  const box = useRef(null);
  const waiting = useRef([]);
  useEffect(() => {
    let next = 1;
    const stream = new EventSource(address(view === 'events' ? 'events' : 'logs'));
    const flush = () => { if (waiting.current.length) { const fresh = waiting.current; waiting.current = []; setLines((before) => [...before, ...fresh].slice(-KEPT)); } };
    const take = (event) => { waiting.current.push({ id: next++, ...(event.type === 'event' ? readEvent : read)(event.data) }); if (waiting.current.length > KEPT) waiting.current.shift(); };
    const timer = setInterval(flush, 200);
    stream.addEventListener('open', () => setState('open'));
    stream.addEventListener('error', () => setState(stream.readyState === EventSource.CLOSED ? 'closed' : 'connecting'));
    stream.addEventListener('message', take);
    stream.addEventListener('event', take);
    return () => { stream.close(); clearInterval(timer); waiting.current = []; };
  }, [view]);
  // What is said of the one stream must not be shown for the other.
  const look = (other) => { if (other !== view) { setView(other); setLines([]); setState('connecting'); } };
  const shown = useMemo(() => lines.filter((l) => (view === 'events' || rank(l.level) >= rank(level)) && (!text || l.text.toLowerCase().includes(text.toLowerCase()))), [lines, level, text, view]);
  useEffect(() => { if (!held) box.current?.scrollTo(0, box.current.scrollHeight); }, [shown, held]);
  const words = { open: view === 'events' ? 'Connected: what happens from now on appears here.' : 'Connected: lines appear as they are written.', connecting: 'Connecting …', closed: 'The broker does not send its log here. It needs the tag "administrator".' };
  return html`<${Head} title="Live log" />
    <section class="panel flush" aria-label="Log"><div class="toolbar">
      <div class="chips" role="group" aria-label="What is shown">${Object.entries(VIEWS).map(([id, label]) => html`<button type="button" class="chip" key=${id} aria-pressed=${id === view} onClick=${() => look(id)}>${label}</button>`)}</div>
      <label class="check">From level <select disabled=${view === 'events'} value=${level} onChange=${(e) => setLevel(e.target.value)}>${LEVELS.map((l) => html`<option key=${l} value=${l} selected=${l === level}>${l}</option>`)}</select></label>
      <label><span class="hidden-text">Search the log</span><input type="search" placeholder="Search the log" value=${text} onInput=${(e) => setText(e.target.value)} /></label>
      <button type="button" class="button small" aria-pressed=${held} onClick=${() => setHeld(!held)}>${held ? 'Follow' : 'Hold'}</button>
      <button type="button" class="button small" onClick=${() => setLines([])}>Clear</button>
      <span class="hint" role="status">${words[state]} ${lines.length ? plural(shown.length, 'line') : ''}</span></div></section>
    <div class="log" ref=${box} tabindex="0" role="log" aria-live="off" aria-label="Log lines">${shown.map((l) => html`<p key=${l.id} class=${rank(l.level) >= 4 ? 'error' : rank(l.level) === 3 ? 'warning' : rank(l.level) === 0 ? 'debug' : ''}>${l.text}</p>`)}</div>`;
}
