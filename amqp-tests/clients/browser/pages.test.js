// The web pages in a real browser: what an operator does with them, and what must hold everywhere.
// Screenshots lie in the folder that the runner names.

'use strict';

const assert = require('node:assert/strict');
const path = require('node:path');
const { after, before, test } = require('node:test');
const { Browser } = require('./chromium.js');
const { faults } = require('./checks.js');
const { base, call, forget, holds, password, publish, queue, user, vhost } = require('./api.js');

const shots = process.env.SCREENSHOTS;
/** Names that no other suite's objects have. */
const own = (name) => `browser.${name}`;

let browser;
let page;

const shot = (name, options) => page.screenshot(path.join(shots, `${name}.png`), options);
const at = (hash) => page.goto(`${base}/#/${hash}`);
const heading = (text) => page.until(`document.querySelector('main h1')?.innerText === ${JSON.stringify(text)}`, `the page "${text}"`);
/** Data has come and is drawn. */
const settled = () => page.until('!document.querySelector("main .empty[role=status]")', 'the broker\'s answer');
const said = (text) => page.until(`[...document.querySelectorAll('.toasts .notice')].some((n) => n.innerText.includes(${JSON.stringify(text)}))`, `the message "${text}"`);

async function signIn(name = user, secret = password) {
  await page.fill('input[name=username]', name);
  await page.fill('input[name=password]', secret);
  await page.press('Sign in');
}

before(async () => {
  browser = await Browser.start();
  page = await browser.page();
  await page.colours('light');
  await page.goto(`${base}/`);
});

after(async () => {
  await browser?.stop();
  for (const name of ['orders', 'dead', 'chart', 'keys', 'odd / ? # % ä 兔', 'limit.1', 'limit.2', 'bulk.1', 'bulk.2', 'bulk.3', 'happening']) await forget(`queues/${vhost}/${encodeURIComponent(own(name))}`);
  await forget(`exchanges/${vhost}/${own('events')}`);
  await forget(`policies/${vhost}/${own('limit')}`);
});

test('a wrong password is refused with what to do, the right one signs in', async () => {
  await page.until('document.querySelector("input[name=username]")', 'the sign-in page');
  assert.deepEqual(await faults(page), []);
  await signIn(user, 'not the password');
  await page.until('document.querySelector("[role=alert]")?.innerText.includes("Login failed")', 'the refusal');
  await shot('login-refused');
  await signIn();
  await heading('Overview');
});

test('no credential can be read by a script', async () => {
  assert.equal(await page.eval('document.cookie'), '');
  const stored = await page.eval('JSON.stringify([{ ...localStorage }, { ...sessionStorage }])');
  assert.ok(!stored.includes(password) && !stored.includes(Buffer.from(`${user}:${password}`).toString('base64')), stored);
  const { cookies } = await page.send('Network.getCookies', { urls: [`${base}/`] });
  assert.equal(cookies.length, 1);
  assert.ok(cookies[0].httpOnly, 'the cookie is readable');
  assert.equal(cookies[0].sameSite, 'Strict');
});

test('the session outlives a reload', async () => {
  await page.send('Page.reload');
  await heading('Overview');
});

test('a queue is created, published to, looked into, purged and deleted', async () => {
  const name = own('orders');
  await at('queues');
  await page.press('Add queue');
  await page.fill('dialog input[name=name]', name);
  await page.press('Max length', 'dialog');
  await page.fill('dialog input[aria-label="Arguments: value 1"]', '1000');
  await shot('queue-add');
  assert.deepEqual(await faults(page), []);
  await page.press('Add', 'dialog');
  await heading(name);
  const made = await call('GET', `queues/${vhost}/${name}`);
  assert.equal(made.durable, true);
  assert.deepEqual(made.arguments, { 'x-max-length': 1000 });

  await page.press('Publish', 'nav.tabs');
  await page.fill('textarea[name=payload]', '{"order": 7, "animal": "leveret"}');
  await page.fill('input[name=copies]', '3');
  await page.press('Publish', 'form.form');
  await said('Published 3 messages.');
  await holds(name, 3);

  await page.press('Messages', 'nav.tabs');
  await page.until('document.querySelectorAll("article.message").length === 3', 'three messages');
  assert.match(await page.text('article.message pre'), /"animal": "leveret"/);
  assert.deepEqual(await faults(page), []);
  await shot('queue-peek', { full: true });
  // Looking takes nothing and flags nothing.
  await holds(name, 3);
  assert.equal(await page.eval('document.querySelectorAll("article.message .badge.warn").length'), 0);

  await page.press('Purge');
  await page.press('Delete the ready messages', 'dialog');
  await said(`Queue ${name} is purged.`);
  await holds(name, 0);

  await page.press('Delete');
  await page.press('Delete the queue', 'dialog');
  await heading('Queues');
  await assert.rejects(call('GET', `queues/${vhost}/${name}`), / 404 /);
});

test('a message is found and deleted by its position', async () => {
  const name = own('orders');
  await queue(name);
  for (const word of ['first', 'second', 'third']) await publish(name, word);
  await at(`queues/%2F/${name}?tab=messages`);
  await page.until('document.querySelectorAll("article.message").length === 3', 'three messages');
  await page.fill('input[placeholder="Search in these messages"]', 'second');
  await page.until('document.querySelectorAll("article.message").length === 1', 'one message');
  await page.click('article.message input[type=checkbox]');
  await page.press('Delete 1');
  await page.press('Delete them', 'dialog');
  await said('Deleted.');
  const left = await call('POST', `queues/${vhost}/${name}/get`, { count: 5, ackmode: 'ack_requeue_true', encoding: 'auto' });
  assert.deepEqual(left.map((m) => m.payload), ['first', 'third']);
});

test('dead letters go back to where they died', async () => {
  const [name, dead] = [own('orders'), own('dead')];
  await forget(`queues/${vhost}/${name}`);
  await queue(dead);
  await queue(name, { arguments: { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': dead } });
  await publish(name, 'dies');
  await call('POST', `queues/${vhost}/${name}/get`, { count: 1, ackmode: 'reject_requeue_false', encoding: 'auto' });
  await at(`queues/%2F/${dead}?tab=messages`);
  await page.until('document.querySelector("article.message")?.innerText.includes("rejected")', 'the dead letter and its reason');
  await shot('dead-letter', { full: true });
  await page.press('Move or redrive');
  await page.press('Start', 'dialog');
  await page.until('document.querySelector("[data-redrive=done]")', 'the end of the redrive');
  await shot('redrive');
  await holds(dead, 0);
  await holds(name, 1);
  await page.press('Close', 'dialog');
});

test('a chart moves as messages come', async () => {
  const name = own('chart');
  await queue(name);
  await at(`queues/%2F/${name}`);
  await heading(name);
  const line = 'document.querySelector(".chart path.line")?.getAttribute("d")';
  const flat = await page.until(line, 'a chart');
  const ready = 'document.querySelector(".chart .legend b")?.innerText';
  await page.until(`${ready} === "0"`, 'nothing ready');
  for (let n = 0; n < 40; n += 1) await publish(name, `message ${n}`);
  await page.until(`${ready} === "40"`, 'forty ready');
  assert.notEqual(await page.eval(line), flat);
  assert.match(await page.eval('document.querySelector(".chart svg").getAttribute("aria-label")'), /Ready: now 40/);
  // The verdict says what is wrong with it.
  await page.until('document.querySelector("[data-verdict]").dataset.verdict !== "good"', 'a verdict');
  assert.match(await page.text('[data-verdict]'), /nobody consumes/);
  assert.deepEqual(await faults(page), []);
  await shot('chart', { full: true });
  await at('');
  await page.until(`[...document.querySelectorAll('[data-verdict] a, table a')].some((a) => a.innerText.includes(${JSON.stringify(name)}))`, 'the queue that hurts on the overview');
  await settled();
  await shot('overview', { full: true });
  assert.deepEqual(await faults(page), []);
});

test('the chart is read by keyboard', async () => {
  await at(`queues/%2F/${own('chart')}`);
  await heading(own('chart'));
  await page.until('((e) => { e.focus(); return document.activeElement === e; })(document.querySelector(".chart svg"))', 'a chart with the focus');
  await page.key('ArrowLeft');
  await page.until('document.querySelector(".chart .tip")', 'the values of a moment');
});

test('dark colours follow the system, and a choice is kept', async () => {
  await at('queues');
  await settled();
  const colour = 'getComputedStyle(document.body).backgroundColor';
  const light = await page.eval(colour);
  await page.colours('dark');
  await page.until(`${colour} !== ${JSON.stringify(light)}`, 'the dark colours');
  await settled();
  assert.deepEqual(await faults(page), []);
  await shot('queues-dark');
  await at('');
  await settled();
  await shot('overview-dark', { full: true });
  assert.deepEqual(await faults(page), []);
  await page.choose('#theme', 'light');
  await page.until(`${colour} === ${JSON.stringify(light)}`, 'the light colours');
  await page.send('Page.reload');
  await heading('Overview');
  assert.equal(await page.eval(colour), light);
  await page.choose('#theme', 'system');
  await page.colours('light');
});

test('everything is reached by keyboard', async () => {
  const name = own('keys');
  await queue(name);
  await at('queues');
  await settled();
  await page.eval('document.activeElement.blur()');
  await page.eval('document.body.focus(); getSelection().removeAllRanges()');
  await page.send('Page.reload');
  await heading('Queues');
  await page.until('document.activeElement === document.querySelector("h1")', 'the heading has the focus');
  // Shift+Tab from the heading goes backwards through the frame to the skip link, the first of all.
  await page.eval('document.querySelector(".skip").focus()');
  await page.key('Enter');
  await page.until('document.activeElement === document.querySelector("main h1")', 'the skip link goes to the content');
  await page.key('Tab');
  assert.equal(await page.eval('document.activeElement.innerText'), 'Add queue');
  await page.key('Enter');
  await page.until('document.activeElement?.name === "name" && document.activeElement.closest("dialog")', 'the dialog takes the focus');
  await page.key('Escape');
  await page.until('!document.querySelector("dialog")', 'Escape closes the dialog');
  assert.equal(await page.eval('document.activeElement.innerText'), 'Add queue');
  await page.key('k', { ctrl: true });
  await page.until('document.activeElement?.getAttribute("role") === "combobox"', 'the palette');
  await page.type(name);
  await page.until(`document.querySelector('[role=option][aria-selected=true]')?.innerText.includes(${JSON.stringify(name)})`, 'the queue is found');
  await page.key('Enter');
  await heading(name);
});

test('deep links open what they name', async () => {
  const odd = own('odd / ? # % ä 兔');
  await queue(odd);
  await call('PUT', `exchanges/${vhost}/${own('events')}`, { type: 'topic', durable: true });
  const links = [
    [`queues/%2F/${encodeURIComponent(odd)}`, odd],
    ['queues/%2F/no-such-queue', 'no-such-queue'],
    [`exchanges/%2F/${own('events')}`, own('events')],
    ['exchanges/%2F/amq.default', '(AMQP default)'],
    ['vhosts/%2F', '/'],
    ['users/guest', 'guest'],
    ['connections/127.0.0.1%3A1%20-%3E%20127.0.0.1%3A2', '127.0.0.1:1 -> 127.0.0.1:2'],
    ['channels/127.0.0.1%3A1%20-%3E%20127.0.0.1%3A2%20(1)', '127.0.0.1:1 -> 127.0.0.1:2 (1)'],
    ['no-such-page', 'There is no such page'],
  ];
  for (const [hash, title] of links) {
    await at(hash);
    await heading(title);
    await settled();
    assert.deepEqual(await faults(page), [], hash);
  }
  await at('queues/%2F/no-such-queue');
  await page.until('document.querySelector("main [role=alert]")?.innerText.includes("deleted meanwhile")', 'what to do about it');
  await shot('not-found');
});

test('bindings are made, tried and removed', async () => {
  const [exchange, name] = [own('events'), own('keys')];
  await at(`exchanges/%2F/${exchange}`);
  await page.press('Add binding');
  await page.fill('dialog input[name=other]', name);
  await page.fill('dialog input[name=routing_key]', 'order.*');
  await page.press('Bind', 'dialog');
  await said('Bound.');
  const bindings = () => call('GET', `bindings/${vhost}/e/${exchange}/q/${name}`);
  assert.deepEqual((await bindings()).map((b) => b.routing_key), ['order.*']);
  await page.fill('main form input[name=routing_key]', 'order.paid');
  await page.press('Try');
  await page.until('document.querySelector("[data-route=\\"1\\"]")', 'one queue is reached');
  assert.match(await page.text('[data-route]'), new RegExp(name));
  await page.fill('main form input[name=routing_key]', 'invoice');
  await page.press('Try');
  await page.until('document.querySelector("[data-route=\\"0\\"]")', 'no queue is reached');
  await shot('exchange', { full: true });
  await page.press('Unbind');
  await page.press('Unbind', 'dialog');
  await said('Unbound.');
  assert.deepEqual(await bindings(), []);
});

test('a policy shows what it matches before it is set', async () => {
  for (const name of ['limit.1', 'limit.2']) await queue(own(name));
  await at('policies');
  await page.press('Add policy');
  await page.fill('dialog input[name=name]', own('limit'));
  await page.fill('dialog input.mono', '^browser\\.limit\\.');
  await page.until('document.querySelector("[data-preview=\\"2\\"]")', 'two queues match');
  await page.press('Max length', 'dialog');
  await page.fill('dialog input[aria-label="Settings: value 1"]', '10');
  await shot('policy');
  assert.deepEqual(await faults(page), []);
  await page.press('Save', 'dialog');
  await said('is in effect');
  const { definition } = await call('GET', `policies/${vhost}/${own('limit')}`);
  assert.deepEqual(definition, { 'max-length': 10 });
  await at(`queues/%2F/${own('limit.1')}`);
  await page.until(`document.querySelector('h1').parentElement.innerText.includes(${JSON.stringify(own('limit'))})`, 'the policy on the queue\'s page');
});

test('lists are searched, sorted, filtered and paged by the broker', async () => {
  for (const name of ['bulk.1', 'bulk.2', 'bulk.3']) await queue(own(name));
  await publish(own('bulk.2'), 'x');
  await at('queues');
  await settled();
  await page.fill('input[placeholder="Search queues"]', own('bulk'));
  const names = 'JSON.stringify([...document.querySelectorAll("tbody td.name")].map((e) => e.innerText))';
  await page.until(`${names} === ${JSON.stringify(JSON.stringify([own('bulk.2'), own('bulk.1'), own('bulk.3')]))} || ${names} === ${JSON.stringify(JSON.stringify([own('bulk.2'), own('bulk.3'), own('bulk.1')]))}`, 'the deepest first');
  await page.click('([...document.querySelectorAll("th button")].find((b) => b.innerText.startsWith("Name")))');
  await page.until(`${names} === ${JSON.stringify(JSON.stringify(['bulk.1', 'bulk.2', 'bulk.3'].map(own)))}`, 'by name');
  assert.equal(await page.eval('document.querySelector("th[aria-sort]").getAttribute("aria-sort")'), 'ascending');
  await page.press('Not empty');
  await page.until(`${names} === ${JSON.stringify(JSON.stringify([own('bulk.2')]))}`, 'only what is not empty');
  await page.press('Not empty');
  await page.choose('nav.pager select', '25');
  // The address says all of it: a colleague sees the same.
  assert.match(await page.eval('location.hash'), /name=browser\.bulk/);
  assert.match(await page.eval('location.hash'), /sort=name/);
  await page.until('document.querySelectorAll("tbody tr").length === 3', 'all three');
  await page.click('thead input[type=checkbox]');
  await page.press('Delete', '[aria-label="With the selected"]');
  await page.press('Delete them', 'dialog');
  await said('Deleted 3 queues.');
});

test('every page has names, contrast and nothing foreign, wide and narrow', async () => {
  const pages = ['', 'queues', 'exchanges', 'connections', 'channels', 'consumers', 'vhosts', 'users', 'permissions', 'policies', 'limits', 'definitions', 'logs'];
  const { name: node } = (await call('GET', 'nodes'))[0];
  pages.push(`nodes/${encodeURIComponent(node)}`, `queues/%2F/${own('chart')}?tab=settings`, `queues/%2F/${own('chart')}?tab=consumers`, `queues/%2F/${own('chart')}?tab=unacked`);
  page.requests.length = 0;
  for (const hash of pages) {
    await at(hash);
    await page.until(`location.hash === ${JSON.stringify(`#/${hash}`)} && document.querySelector("main h1")`);
    await settled();
    assert.deepEqual(await faults(page), [], `#/${hash}`);
    assert.equal(await page.eval('document.querySelectorAll("main .notice.bad").length'), 0, `#/${hash}: ${await page.text('main .notice.bad')}`);
    await shot(`page-${hash.replaceAll(/[^a-z]+/g, '-') || 'overview'}`);
  }
  assert.deepEqual(page.requests.filter((url) => !url.startsWith(`${base}/`)), []);
  await page.send('Emulation.setDeviceMetricsOverride', { width: 390, height: 800, deviceScaleFactor: 1, mobile: false });
  for (const hash of pages) {
    await at(hash);
    await page.until(`location.hash === ${JSON.stringify(`#/${hash}`)} && document.querySelector("main h1")`);
    await settled();
    assert.deepEqual(await faults(page), [], `narrow #/${hash}`);
  }
  await at('queues');
  await heading('Queues');
  await settled();
  await page.press('Menu');
  await page.until('document.querySelector(".side").checkVisibility()', 'the menu');
  await shot('narrow-menu');
  await page.send('Emulation.setDeviceMetricsOverride', { width: 1400, height: 1000, deviceScaleFactor: 1, mobile: false });
});

test('definitions are compared before they are applied', async () => {
  await forget(`queues/${vhost}/${own('bulk.1')}`);
  await queue(own('chart'));
  await at('definitions');
  await heading('Definitions');
  const file = { queues: [{ name: own('bulk.1'), vhost: '/', durable: true, auto_delete: false, arguments: {} }, { name: own('chart'), vhost: '/', durable: true, auto_delete: false, arguments: {} }] };
  await page.eval(`(() => {
    const list = new DataTransfer();
    list.items.add(new File([${JSON.stringify(JSON.stringify(file))}], 'two.json', { type: 'application/json' }));
    const input = document.querySelector('input[type=file]');
    input.files = list.files;
    input.dispatchEvent(new Event('change', { bubbles: true }));
  })()`);
  await page.until('document.querySelector("main table")?.innerText.includes("queues")', 'the comparison');
  await page.click('main table details summary');
  assert.match(await page.text('main table'), /browser\.bulk\.1/);
  await shot('definitions');
  await page.press('Apply');
  await said('two.json is applied.');
  await holds(own('bulk.1'), 0);
});

test('the log is seen as it is written', async () => {
  await at('logs');
  await page.until('document.querySelector("[role=status]") && document.body.innerText.includes("Connected")', 'the log is connected');
  // A refused login is something that a broker logs.
  await fetch(`${base}/api/whoami`, { headers: { authorization: `Basic ${Buffer.from('browser-nobody:x').toString('base64')}` } });
  await page.until('document.querySelector("[role=log]").innerText.includes("browser-nobody")', 'the line of the refusal');
  await shot('log');
  // Beside the lines stand events, from now on.
  await page.press('Events');
  await page.until('document.body.innerText.includes("what happens from now on")', 'the events are connected');
  await queue(own('happening'));
  await page.until(`document.querySelector("[role=log]").innerText.includes("queue.created") && document.querySelector("[role=log]").innerText.includes(${JSON.stringify(own('happening'))})`, 'the event of the new queue');
  await forget(`queues/${vhost}/${encodeURIComponent(own('happening'))}`);
  await page.until('document.querySelector("[role=log]").innerText.includes("queue.deleted")', 'the event of its end');
  await shot('events');
  assert.deepEqual(await faults(page), []);
});

test('signing out ends the session', async () => {
  await page.press('Sign out');
  await page.until('document.querySelector("input[name=username]")', 'the sign-in page');
  const status = await page.eval('fetch("api/whoami", { headers: { "x-leveret-ui": "1" } }).then((r) => r.status)');
  assert.equal(status, 401);
  await page.send('Page.reload');
  await page.until('document.querySelector("input[name=username]")', 'the sign-in page, still');
  page.complaints.length = 0;
});
