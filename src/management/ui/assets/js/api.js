// Every request to the broker goes through here. The session is a cookie that scripts cannot read;
// the header below tells the broker that the request comes from these pages and not from another site.

const base = new URL('api/', document.baseURI);

/** The address of an API path, which is relative ("queues/%2F"). */
export const address = (path) => new URL(path, base).href;

/** An API path from a template; what is put in is encoded as one segment each. */
export function path(parts, ...values) {
  return parts.reduce((out, part, i) => out + encodeURIComponent(values[i - 1]) + part);
}

/** A request that did not work: what the broker said, and what the reader can do. */
export class Failure extends Error {
  constructor(status, reason) {
    super(reason || `The broker answered with status ${status}.`);
    this.status = status;
    this.empty = !reason;
  }

  get advice() {
    const text = this.message;
    if (this.status === 0) return 'Is the broker running, and does this computer reach it? The page tries again by itself.';
    if (this.status === 401 && /administrator/i.test(text)) return 'This needs a user with the tag "administrator". Sign in as one.';
    if (this.status === 401 && /monitor/i.test(text)) return 'This needs a user with the tag "monitoring" or "administrator".';
    if (this.status === 401 && /virtual host/i.test(text)) return 'Ask an administrator for permissions in this virtual host (page Virtual hosts).';
    if (this.status === 401 && /refused/i.test(text)) return 'The user lacks the configure, write or read permission for this name, or the name is reserved ("amq.").';
    if (this.status === 401) return 'Sign in again.';
    if (this.status === 404) return 'It may have been deleted meanwhile. Go back to the list.';
    if (/inequivalent/.test(text)) return 'Something of this name exists with other settings. Use the same settings, another name, or delete it first.';
    if (/in use/.test(text)) return 'Consumers or bindings still use it. Stop them first, or delete without "only if unused".';
    if (/not empty/.test(text)) return 'Purge it first, or delete without "only if empty".';
    if (this.status === 400) return 'Correct what is named above and try again.';
    if (this.status === 429) return 'Too many attempts. Wait a little.';
    if (this.status >= 500) return "The broker's log says more (page Live log).";
    return '';
  }
}

let onUnauthorised = () => {};
/** What to do when the session has ended. */
export const whenUnauthorised = (then) => { onUnauthorised = then; };

const text = (value) => (typeof value === 'string' ? value : JSON.stringify(value));

async function failure(response) {
  const body = await response.text();
  try {
    const { error, reason } = JSON.parse(body);
    return new Failure(response.status, text(reason ?? error));
  } catch {
    return new Failure(response.status, body.slice(0, 300));
  }
}

/**
 * Sends a request and gives the parsed answer, or null where there is none.
 * `body` is sent as JSON unless it is a form. Throws a `Failure`.
 */
export async function call(method, where, { body, signal, headers = {}, quiet = false } = {}) {
  const form = body instanceof FormData;
  let response;
  try {
    response = await fetch(address(where), {
      method,
      signal,
      credentials: 'same-origin',
      cache: 'no-store',
      headers: {
        'x-leveret-ui': '1',
        accept: 'application/json',
        ...(body === undefined || form ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      body: body === undefined || form ? body : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Failure(0, 'The broker cannot be reached.');
  }
  if (!response.ok) {
    const failed = await failure(response);
    // A refusal names what is missing; without a session there is nothing to name.
    if (response.status === 401 && !quiet && (failed.empty || /login failed|session/i.test(failed.message))) onUnauthorised();
    throw failed;
  }
  if (response.status === 204) return null;
  const body_text = await response.text();
  return body_text === '' ? null : JSON.parse(body_text);
}

export const get = (where, options) => call('GET', where, options);
export const put = (where, body, options) => call('PUT', where, { body, ...options });
export const post = (where, body, options) => call('POST', where, { body, ...options });
export const del = (where, options) => call('DELETE', where, options);
