// Light or dark: as the system says, until the reader chooses.

import { Cell } from './lib.js';

const system = matchMedia('(prefers-color-scheme: dark)');
const stored = () => { const t = localStorage.getItem('theme'); return t === 'light' || t === 'dark' ? t : 'system'; };

/** 'system', 'light' or 'dark'. */
export const theme = new Cell(stored());

function apply() {
  const dark = theme.value === 'dark' || (theme.value === 'system' && system.matches);
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
}

system.addEventListener('change', apply);
theme.listen(apply);
apply();

export function choose(value) {
  localStorage.setItem('theme', value);
  theme.set(value);
}
