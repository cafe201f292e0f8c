// Drives a headless Chromium by its DevTools protocol, over the two pipes that
// `--remote-debugging-pipe` opens: no port, no driver, no package.

'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome'];
/** How long a condition is waited for. */
const WAIT_MS = 30000;
const LOOK_EVERY_MS = 50;

/** The browser's program, or null where there is none. CHROMIUM names one. */
function program() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  for (const folder of (process.env.PATH ?? '').split(':')) {
    for (const name of PROGRAMS) {
      const file = path.join(folder, name);
      try { fs.accessSync(file, fs.constants.X_OK); return file; } catch { /* the next */ }
    }
  }
  return null;
}

/** A browser of its own, with a profile that goes with it. */
class Browser {
  static async start() {
    const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'leveret-browser-'));
    const browser = new Browser();
    browser.profile = profile;
    browser.answers = new Map();
    browser.listeners = [];
    browser.next = 1;
    browser.process = spawn(program(), [
      '--headless=new', '--remote-debugging-pipe', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-extensions', '--hide-scrollbars', '--force-color-profile=srgb',
      `--user-data-dir=${profile}`, 'about:blank',
    ], { stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'] });
    browser.said = '';
    browser.process.stderr.on('data', (text) => { browser.said = (browser.said + text).slice(-4000); });
    browser.ended = new Promise((resolve) => { browser.process.on('exit', resolve); });
    browser.ended.then(() => browser.#failAll(new Error(`the browser ended: ${browser.said}`)));
    browser.process.stdio[3].on('error', () => {});
    browser.#read(browser.process.stdio[4]);
    await browser.send('Browser.getVersion');
    return browser;
  }

  #read(pipe) {
    let rest = Buffer.alloc(0);
    pipe.on('error', () => {});
    pipe.on('data', (part) => {
      rest = Buffer.concat([rest, part]);
      for (let end = rest.indexOf(0); end >= 0; end = rest.indexOf(0)) {
        this.#take(JSON.parse(rest.subarray(0, end).toString('utf8')));
        rest = rest.subarray(end + 1);
      }
    });
  }

  #take(message) {
    const waiting = this.answers.get(message.id);
    if (waiting) {
      this.answers.delete(message.id);
      if (message.error) waiting.reject(new Error(`${waiting.method}: ${message.error.message}`));
      else waiting.resolve(message.result);
    } else {
      for (const listener of this.listeners) listener(message);
    }
  }

  #failAll(error) {
    for (const { reject } of this.answers.values()) reject(error);
    this.answers.clear();
  }

  send(method, params = {}, sessionId = undefined) {
    const id = this.next++;
    return new Promise((resolve, reject) => {
      this.answers.set(id, { resolve, reject, method });
      this.process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  }

  async page({ width = 1400, height = 1000 } = {}) {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page(this, sessionId);
    await page.open_(width, height);
    return page;
  }

  async stop() {
    await this.send('Browser.close').catch(() => {});
    const late = setTimeout(() => this.process.kill('SIGKILL'), 10000);
    await this.ended;
    clearTimeout(late);
    fs.rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** One page. What goes wrong inside of it is in `complaints`. */
class Page {
  constructor(browser, session) {
    this.browser = browser;
    this.session = session;
    this.complaints = [];
    this.requests = [];
    browser.listeners.push((message) => { if (message.sessionId === session) this.#hear(message); });
  }

  #hear({ method, params }) {
    if (method === 'Runtime.exceptionThrown') this.complaints.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    if (method === 'Log.entryAdded' && params.entry.source === 'security') this.complaints.push(params.entry.text);
    if (method === 'Runtime.consoleAPICalled' && params.type === 'error') this.complaints.push(params.args.map((a) => a.value ?? a.description).join(' '));
    if (method === 'Network.requestWillBeSent') this.requests.push(params.request.url);
  }

  send(method, params) { return this.browser.send(method, params, this.session); }

  async open_(width, height) {
    for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await this.send(`${domain}.enable`);
    await this.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false });
  }

  /** The colours that the system prefers. */
  colours(scheme) { return this.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] }); }

  async goto(url) {
    const { errorText } = await this.send('Page.navigate', { url });
    if (errorText) throw new Error(`${url}: ${errorText}`);
  }

  /** The value of an expression, or what its promise gives. */
  async eval(expression) {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
    return result.value;
  }

  /** Waits until an expression is true; says what the page shows when it never is. */
  async until(expression, what = expression) {
    const end = Date.now() + WAIT_MS;
    for (;;) {
      const value = await this.eval(`(() => { try { return ${expression}; } catch { return false; } })()`).catch(() => false);
      if (value) return value;
      if (Date.now() > end) {
        const shown = await this.eval('document.body?.innerText.slice(0, 1500)').catch((e) => String(e));
        throw new Error(`waited ${WAIT_MS / 1000} s for: ${what}\nThe page shows:\n${shown}\nComplaints: ${this.complaints.join('\n')}`);
      }
      await new Promise((resolve) => { setTimeout(resolve, LOOK_EVERY_MS); });
    }
  }

  /** Waits for an element, brings it into view and clicks on its middle with the mouse. */
  async click(find) {
    const element = typeof find === 'string' && !find.startsWith('(') ? `document.querySelector(${JSON.stringify(find)})` : find;
    await this.until(`${element}?.checkVisibility() && !${element}.disabled`, `an element to click: ${find}`);
    await this.eval(`${element}.scrollIntoView({ block: 'center', behavior: 'instant' })`);
    const { x, y } = await this.eval(`(({ left, top, width, height }) => ({ x: left + width / 2, y: top + height / 2 }))(${element}.getBoundingClientRect())`);
    for (const type of ['mousePressed', 'mouseReleased']) await this.send('Input.dispatchMouseEvent', { type, x, y, button: 'left', clickCount: 1 });
  }

  /** Clicks on the button or link of this text, in a part of the page. */
  press(text, within = 'document') {
    return this.click(`([...(${within === 'document' ? within : `document.querySelector(${JSON.stringify(within)})`}).querySelectorAll('button, a')].find((e) => e.innerText.trim() === ${JSON.stringify(text)}))`);
  }

  /** Replaces what a field holds by typing. */
  async fill(selector, text) {
    const field = `document.querySelector(${JSON.stringify(selector)})`;
    await this.until(`((e) => { e.focus(); e.select?.(); return document.activeElement === e; })(${field})`, `a field to fill: ${selector}`);
    if (text === '') await this.key('Delete');
    else await this.send('Input.insertText', { text });
    await this.until(`${field}.value === ${JSON.stringify(text)}`, `${selector} to hold what was typed`);
  }

  type(text) { return this.send('Input.insertText', { text }); }

  async choose(selector, value) {
    await this.until(`document.querySelector(${JSON.stringify(selector)})`);
    await this.eval(`(() => { const e = document.querySelector(${JSON.stringify(selector)}); e.value = ${JSON.stringify(value)}; e.dispatchEvent(new Event('input', { bubbles: true })); e.dispatchEvent(new Event('change', { bubbles: true })); })()`);
  }

  /** One key, with modifiers: 'Tab', 'Enter', 'k' with { ctrl: true }. */
  async key(key, { ctrl = false, shift = false } = {}) {
    const codes = { Tab: 9, Enter: 13, Escape: 27, ArrowDown: 40, ArrowUp: 38, ArrowLeft: 37, ArrowRight: 39, Delete: 46, Space: 32 };
    const code = codes[key] ?? key.toUpperCase().charCodeAt(0);
    const event = { key, code: key.length === 1 ? `Key${key.toUpperCase()}` : key, windowsVirtualKeyCode: code, modifiers: (ctrl ? 2 : 0) + (shift ? 8 : 0) };
    await this.send('Input.dispatchKeyEvent', { type: key === 'Enter' ? 'keyDown' : 'rawKeyDown', ...event, ...(key === 'Enter' ? { text: '\r' } : {}) });
    await this.send('Input.dispatchKeyEvent', { type: 'keyUp', ...event });
  }

  text(selector) { return this.eval(`document.querySelector(${JSON.stringify(selector)})?.innerText ?? ''`); }

  /** What shows without scrolling, or the whole page, as a PNG file. */
  async screenshot(file, { full = false } = {}) {
    const { data } = await this.send('Page.captureScreenshot', { format: 'png', captureBeyondViewport: full, ...(full ? { clip: await this.#whole() } : {}) });
    fs.writeFileSync(file, Buffer.from(data, 'base64'));
  }

  async #whole() {
    const { cssContentSize: { width, height } } = await this.send('Page.getLayoutMetrics');
    return { x: 0, y: 0, width, height: Math.min(height, 6000), scale: 1 };
  }
}

module.exports = { Browser, program };
