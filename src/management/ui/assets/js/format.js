// Numbers, sizes and times as people read them.

const whole = new Intl.NumberFormat('en');
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

export const count = (n) => (n === undefined || n === null || Number.isNaN(n) ? '–' : whole.format(Math.round(n)));
/** For tight places: 12,345 is exact, 1.2M is not. */
export function brief(n) {
  if (n === undefined || n === null) return '–';
  if (Math.abs(n) < 10 && !Number.isInteger(n)) return n.toFixed(1);
  return Math.abs(n) < 100000 ? count(n) : short.format(n);
}

export function rate(n, unit = '/s') {
  if (n === undefined || n === null) return '–';
  const size = Math.abs(n);
  const digits = size === 0 ? '0' : size < 10 ? n.toFixed(1) : brief(Math.round(n));
  return `${digits}${unit}`;
}

export function bytes(n) {
  if (typeof n !== 'number') return '–';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let at = 0;
  let value = n;
  while (Math.abs(value) >= 1024 && at < units.length - 1) { value /= 1024; at += 1; }
  return `${at === 0 || Math.abs(value) >= 100 ? Math.round(value) : value.toFixed(1)} ${units[at]}`;
}

export const byteRate = (n) => (typeof n === 'number' ? `${bytes(n)}/s` : '–');

/** A length of time in ms: its two largest units. */
export function duration(ms) {
  if (typeof ms !== 'number' || Number.isNaN(ms)) return '–';
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  let rest = Math.floor(ms / 1000);
  const parts = [];
  for (const [unit, size] of [['d', 86400], ['h', 3600], ['min', 60], ['s', 1]]) {
    const n = Math.floor(rest / size);
    rest -= n * size;
    if (n > 0) parts.push(`${n} ${unit}`);
    if (parts.length === 2) break;
  }
  return parts.join(' ');
}

export function moment(at) {
  if (at === undefined || at === null || at === '') return '–';
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? String(at) : date.toLocaleString('sv-SE');
}

/** How long ago, and in the title when. */
export const ago = (at) => `${duration(Date.now() - new Date(at).getTime())} ago`;

export const percent = (part, of) => (of > 0 ? `${Math.round((100 * part) / of)} %` : '–');

export const yesNo = (value) => (value ? 'yes' : 'no');

/** A value of an arguments table in one line. */
export const value = (v) => (typeof v === 'string' ? v : JSON.stringify(v));

/** What a table of arguments, properties or a definition says, in one line. */
export const pairs = (table) => Object.entries(table ?? {}).map(([k, v]) => `${k} = ${value(v)}`).join(', ');

export const exchangeName = (name) => (name === '' ? '(AMQP default)' : name);

export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

export const get = (object, dotted) => dotted.split('.').reduce((o, key) => (o === undefined || o === null ? undefined : o[key]), object);
export const statRate = (object, name) => get(object, `message_stats.${name}_details.rate`);
