// Who is signed in. The credentials are sent once; what stays is a cookie that no script can read.

import { call, get, whenUnauthorised } from './api.js';
import { Cell } from './lib.js';
import { listen, silence } from './live.js';

/** undefined: not known yet; null: nobody; else the answer of /whoami. */
export const user = new Cell(undefined);
/** Names of the virtual hosts that the user sees. */
export const vhosts = new Cell([]);
/** Why the sign-in page is shown, where there is something to say. */
export const farewell = new Cell('');

const tags = () => { const t = user.value?.tags ?? []; return Array.isArray(t) ? t : t.split(','); };
export const isAdmin = () => tags().includes('administrator');
export const isMonitor = () => isAdmin() || tags().includes('monitoring');
export const isPolicymaker = () => isAdmin() || tags().includes('policymaker');

export async function loadVhosts() {
  try {
    vhosts.set((await get('vhosts?columns=name')).map((v) => v.name));
  } catch {
    // Without a list, the pages offer what is in use.
  }
}

async function welcome(who) {
  await loadVhosts();
  farewell.set('');
  user.set(who);
  listen('events');
}

/** Is there a session already? */
export async function resume() {
  try {
    await welcome(await call('GET', 'whoami', { quiet: true }));
  } catch (error) {
    if (error.status !== 401) farewell.set(`${error.message} ${error.advice ?? ''}`);
    user.set(null);
  }
}

export async function login(name, password) {
  await call('POST', 'session', { body: { username: name, password }, quiet: true });
  await welcome(await call('GET', 'whoami', { quiet: true }));
}

export async function logout() {
  try { await call('DELETE', 'session', { quiet: true }); } catch { /* Ended or not, this page forgets. */ }
  silence();
  user.set(null);
}

whenUnauthorised(() => {
  if (!user.value) return;
  silence();
  farewell.set('The session has ended. Sign in again; the page stays where it was.');
  user.set(null);
});
