// Keeps what a page shows up to date. The broker says when it has new numbers (server-sent events);
// where that does not work, a timer does. A page that nobody sees asks for nothing.

import { address, get } from './api.js';
import { Cell, useCallback, useEffect, useRef, useState } from './lib.js';

const SAMPLE_MS = 5000;
/** An event stream that has been silent for this long is not relied on. */
const SILENT_MS = 12000;

/** 'on', 'off' (paused by the reader) or 'lost' (the broker does not answer). */
export const pulse = new Cell('on');

const asking = new Set();
let heard = 0;
let stream;

function tick() {
  if (pulse.value === 'off' || document.hidden) return;
  for (const ask of [...asking]) ask();
}

/** Listens to the broker's samples; called once after login. */
export function listen(where) {
  if (stream || typeof EventSource === 'undefined') return;
  stream = new EventSource(address(where));
  stream.addEventListener('sample', () => { heard = Date.now(); tick(); });
  stream.addEventListener('error', () => { if (stream?.readyState === EventSource.CLOSED) { stream = undefined; heard = 0; } });
}

export function silence() {
  stream?.close();
  stream = undefined;
  heard = 0;
}

setInterval(() => { if (Date.now() - heard > SILENT_MS) tick(); }, SAMPLE_MS);
document.addEventListener('visibilitychange', () => { if (!document.hidden) tick(); });

/** Pauses or resumes. */
export function pause(paused) {
  pulse.set(paused ? 'off' : 'on');
  if (!paused) tick();
}

/**
 * The answer to a GET, asked again with every sample. A path that is null is not asked. What was
 * shown stays while the next answer is on its way, and when it does not come.
 */
export function useLive(where, { once = false, quiet = false } = {}) {
  const [state, setState] = useState({ where: null, data: undefined, error: undefined });
  const flight = useRef(null);
  const ask = useCallback(async () => {
    if (where === null || flight.current) return;
    const control = new AbortController();
    flight.current = control;
    try {
      const data = await get(where, { signal: control.signal });
      setState({ where, data, error: undefined });
      if (pulse.value === 'lost') pulse.set('on');
    } catch (error) {
      if (error.name === 'AbortError') return;
      setState((before) => ({ where, data: before.where === where || error.status === 0 ? before.data : undefined, error }));
      if (error.status === 0 && pulse.value === 'on' && !quiet) pulse.set('lost');
    } finally {
      if (flight.current === control) flight.current = null;
    }
  }, [where]);
  useEffect(() => {
    ask();
    if (!once) asking.add(ask);
    return () => {
      asking.delete(ask);
      flight.current?.abort();
      flight.current = null;
    };
  }, [ask]);
  const refresh = useCallback(() => {
    flight.current?.abort();
    flight.current = null;
    return ask();
  }, [ask]);
  // Another page's or page size's answer is better than none while the next one comes.
  return { data: state.data, error: state.error, stale: state.where !== where, refresh };
}
