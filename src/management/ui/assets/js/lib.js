// The vendored renderer, under the names these pages use.
export {
  html, h, render, createContext, useState, useEffect, useLayoutEffect, useRef, useMemo, useCallback, useContext,
  useErrorBoundary,
} from '../vendor/htm-preact.js';

/** Something that changes and tells who listens: what little state is shared between pages. */
export class Cell {
  constructor(value) {
    this.value = value;
    this.listeners = new Set();
  }

  set(value) {
    if (Object.is(value, this.value)) return;
    this.value = value;
    for (const tell of [...this.listeners]) tell(value);
  }

  listen(tell) {
    this.listeners.add(tell);
    return () => this.listeners.delete(tell);
  }
}
