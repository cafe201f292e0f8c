// Line charts as SVG, drawn from the broker's samples: no library, colours from the style sheet.

import { html, useLayoutEffect, useRef, useState } from './lib.js';
import { brief } from './format.js';

const HEIGHT = 190;
const PAD = { left: 52, right: 8, top: 10, bottom: 20 };

/** Samples of a level, oldest first: `[{ t, v }]`. */
export const levels = (details) => [...(details?.samples ?? [])].reverse().map((s) => ({ t: s.timestamp, v: s.sample }));

/** Samples of a counter as its rate a second, oldest first. */
export function rates(details) {
  const points = levels(details);
  return points.slice(1).map((p, i) => ({ t: p.t, v: Math.max(0, ((p.v - points[i].v) * 1000) / Math.max(1, p.t - points[i].t)) }));
}

/** The smallest of 1, 2, 2.5, 5 times a power of ten that is at least `n`. */
function niceCeiling(n) {
  if (n <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(n));
  return [1, 2, 2.5, 5, 10].map((m) => m * power).find((m) => m >= n);
}

function timeLabel(t, span) {
  const options = span > 36e5 * 20 ? { weekday: 'short', hour: '2-digit', minute: '2-digit' } : span > 6e5 * 2 ? { hour: '2-digit', minute: '2-digit' } : { hour: '2-digit', minute: '2-digit', second: '2-digit' };
  return new Date(t).toLocaleTimeString('en-GB', options);
}

function useWidth() {
  const ref = useRef(null);
  const [width, setWidth] = useState(600);
  useLayoutEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.max(220, entry.contentRect.width)));
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, []);
  return [ref, width];
}

function Legend({ series, off, toggle, show }) {
  return html`<div class="legend">${series.map((s, i) => html`
    <button type="button" key=${s.label} aria-pressed=${!off.has(s.label)} onClick=${() => toggle(s.label)} class=${`s${s.colour ?? i + 1}`}>
      <i class="swatch" aria-hidden="true"></i>${s.label} <b>${show(s.points.at(-1)?.v)}</b>
    </button>`)}</div>`;
}

function Tip({ series, t, left, show, span }) {
  const side = left.x > left.width / 2 ? { right: `${left.width - left.x + 12}px` } : { left: `${left.x + 12}px` };
  return html`<div class="tip" style=${side}>
    <strong>${timeLabel(t, span)}</strong>
    ${series.map((s) => html`<div key=${s.label} class=${`s${s.colour}`}><span><i class="swatch"></i> ${s.label}</span><b>${show(s.points.find((p) => p.t === t)?.v)}</b></div>`)}
  </div>`;
}

function Numbers({ series, show, span }) {
  const times = [...new Set(series.flatMap((s) => s.points.map((p) => p.t)))].sort((a, b) => b - a);
  return html`<details><summary class="hint">Show the numbers</summary><div class="scroll"><table>
    <thead><tr><th>Time</th>${series.map((s) => html`<th class="num">${s.label}</th>`)}</tr></thead>
    <tbody>${times.map((t) => html`<tr key=${t}><td>${timeLabel(t, span)}</td>${series.map((s) => html`<td class="num">${show(s.points.find((p) => p.t === t)?.v)}</td>`)}</tr>`)}</tbody>
  </table></div></details>`;
}

/**
 * `series`: `[{ label, points, colour }]`, colours 1 to 8 of the style sheet. `show` writes a value.
 * `label` says what the chart is about, for those who do not see it.
 */
export function LineChart({ label, series: all, show = brief, height = HEIGHT }) {
  const [ref, width] = useWidth();
  const [off, setOff] = useState(new Set());
  const [at, setAt] = useState(null);
  const toggle = (name) => setOff((before) => { const next = new Set(before); if (!next.delete(name)) next.add(name); return next; });
  const coloured = all.map((s, i) => ({ ...s, colour: s.colour ?? i + 1 }));
  const series = coloured.filter((s) => !off.has(s.label));
  const times = [...new Set(coloured.flatMap((s) => s.points.map((p) => p.t)))].sort((a, b) => a - b);
  if (times.length < 2) {
    return html`<div class="chart" ref=${ref}><div class="empty">Nothing to draw yet: points appear within ten seconds of the first message.</div></div>`;
  }
  const [first, last] = [times[0], times.at(-1)];
  const span = last - first;
  const top = niceCeiling(Math.max(0, ...series.flatMap((s) => s.points.map((p) => p.v))));
  const x = (t) => PAD.left + ((t - first) / span) * (width - PAD.left - PAD.right);
  const y = (v) => height - PAD.bottom - (v / top) * (height - PAD.top - PAD.bottom);
  const line = (points) => points.map((p, i) => `${i ? 'L' : 'M'}${x(p.t).toFixed(1)} ${y(p.v).toFixed(1)}`).join('');
  const nearest = (clientX) => {
    const px = clientX - ref.current.getBoundingClientRect().left;
    return times.reduce((best, t) => (Math.abs(x(t) - px) < Math.abs(x(best) - px) ? t : best), times[0]);
  };
  const keys = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    setAt((before) => times[Math.min(times.length - 1, Math.max(0, (before === null ? times.length - 1 : times.indexOf(before)) + step))] ?? last);
  };
  const summary = `${label}. ${coloured.map((s) => `${s.label}: now ${show(s.points.at(-1)?.v)}, at most ${show(Math.max(0, ...s.points.map((p) => p.v)))}`).join('; ')}.`;
  const marks = [first, first + span / 2, last];
  const shown = at !== null && times.includes(at) ? at : null;
  return html`<div class="chart" ref=${ref}>
    <svg viewBox=${`0 0 ${width} ${height}`} height=${height} role="img" aria-label=${summary} tabindex="0" onKeyDown=${keys} onBlur=${() => setAt(null)}
      onPointerMove=${(e) => setAt(nearest(e.clientX))} onPointerLeave=${() => setAt(null)}>
      ${[0, 0.25, 0.5, 0.75, 1].map((part) => html`<g key=${part}>
        <line class="gridline" x1=${PAD.left} x2=${width - PAD.right} y1=${y(top * part)} y2=${y(top * part)} />
        ${(part * 4) % 2 === 0 && html`<text x=${PAD.left - 6} y=${y(top * part) + 4} text-anchor="end">${show(top * part)}</text>`}
      </g>`)}
      ${marks.map((t, i) => html`<text key=${i} x=${x(t)} y=${height - 4} text-anchor=${['start', 'middle', 'end'][i]}>${timeLabel(t, span)}</text>`)}
      ${series.filter((s) => s.points.length > 1).map((s) => html`<g key=${s.label} class=${`s${s.colour}`}>
        ${s.area && html`<path class="area" d=${`${line(s.points)}L${x(s.points.at(-1).t)} ${y(0)}L${x(s.points[0].t)} ${y(0)}Z`} />`}
        <path class="line" d=${line(s.points)} />
      </g>`)}
      ${shown !== null && html`<line class="cross" x1=${x(shown)} x2=${x(shown)} y1=${PAD.top} y2=${height - PAD.bottom} />`}
      ${shown !== null && series.map((s) => { const p = s.points.find((q) => q.t === shown); return p && html`<g key=${`dot${s.label}`} class=${`s${s.colour}`}><circle cx=${x(p.t)} cy=${y(p.v)} r="3.5" /></g>`; })}
    </svg>
    ${shown !== null && html`<${Tip} series=${series} t=${shown} left=${{ x: x(shown), width }} show=${show} span=${span} />`}
    <${Legend} series=${coloured} off=${off} toggle=${toggle} show=${show} />
    <${Numbers} series=${coloured} show=${show} span=${span} />
  </div>`;
}

/** The ranges that the broker keeps, as in RabbitMQ's pages. */
export const RANGES = [
  { id: '60', label: 'Last minute', age: 60, incr: 5 },
  { id: '600', label: 'Last ten minutes', age: 600, incr: 5 },
  { id: '3600', label: 'Last hour', age: 3600, incr: 60 },
  { id: '28800', label: 'Last eight hours', age: 28800, incr: 600 },
  { id: '86400', label: 'Last day', age: 86400, incr: 1800 },
];

export function rangeQuery(id, kinds) {
  const { age, incr } = RANGES.find((r) => r.id === id) ?? RANGES[0];
  return kinds.map((kind) => `${kind}_age=${age}&${kind}_incr=${incr}`).join('&');
}
