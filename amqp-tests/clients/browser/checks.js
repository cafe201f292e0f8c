// What must hold on every page: controls have names, text has contrast, nothing overflows.

'use strict';

/** Roles whose elements do nothing for those who only hear, unless they have a name. */
const NAMED = new Set(['button', 'link', 'textbox', 'searchbox', 'combobox', 'checkbox', 'radio', 'listbox', 'spinbutton', 'image', 'img', 'dialog', 'tab']);

/** Controls without a name, from the browser's own accessibility tree. */
async function nameless(page) {
  const { nodes } = await page.send('Accessibility.getFullAXTree', {});
  return nodes
    .filter((node) => !node.ignored && NAMED.has(node.role?.value) && !(node.name?.value ?? '').trim())
    .map((node) => `${node.role.value} ${JSON.stringify(node.properties ?? []).slice(0, 120)}`);
}

/** Texts whose contrast with what lies behind them is below 4.5 (3 where they are large). */
const LOW_CONTRAST = `(() => {
  const parse = (text) => { const n = (text.match(/[\\d.]+/g) ?? []).map(Number); return text.startsWith('color(srgb') ? [n[0] * 255, n[1] * 255, n[2] * 255, n[3] ?? 1] : [n[0], n[1], n[2], n[3] ?? 1]; };
  const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3]));
  const behind = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c[3] > 0) layers.push(c); if (c[3] === 1) break; }
    return layers.reverse().reduce((under, c) => over(c, under), [255, 255, 255]);
  };
  const light = (c) => { const [r, g, b] = c.map((v) => { const s = v / 255; return s <= 0.03928 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const low = new Map();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const element = node.parentElement;
    if (!node.textContent.trim() || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) || element.closest('.hidden-text, .skip, :disabled, svg, option')) continue;
    const style = getComputedStyle(element);
    const ground = behind(element);
    const [a, b] = [light(over(parse(style.color), ground)), light(ground)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize);
    const need = size >= 24 || (size >= 18.7 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    if (ratio < need) low.set(element.className + '|' + element.tagName, element.tagName + '.' + element.className + ' "' + node.textContent.trim().slice(0, 30) + '" ' + ratio.toFixed(2));
  }
  return [...low.values()];
})()`;

/** Everything that is wrong with the page as it stands. */
async function faults(page) {
  const found = [...page.complaints];
  page.complaints.length = 0;
  for (const node of await nameless(page)) found.push(`without a name: ${node}`);
  for (const text of await page.eval(LOW_CONTRAST)) found.push(`low contrast: ${text}`);
  if (await page.eval('document.querySelectorAll("h1").length') !== 1) found.push('not exactly one h1');
  if (await page.eval('document.documentElement.scrollWidth > innerWidth + 1')) found.push('wider than the window');
  const ids = await page.eval('(() => { const ids = [...document.querySelectorAll("[id]")].map((e) => e.id); return ids.filter((id, i) => ids.indexOf(id) !== i); })()');
  for (const id of ids) found.push(`id twice: ${id}`);
  return found;
}

module.exports = { faults };
