// Waiting in line through reloads, lost connections, hidden tabs and changes of mind.

import { expect, inLine, test } from './buyer.js';
import { putOnSale } from './platform.js';

/** The number on the ticket. */
const place = async (page) => Number((await page.locator('.place strong').textContent()).replace(/\D/g, ''));

test('a reload keeps the place, and nobody joins twice', async ({ buyer, page }) => {
  await inLine(buyer, 'Reload', 40);
  const before = await place(page);
  let joins = 0;
  page.on('request', (request) => { joins += Number(request.url().endsWith('/queue/join')); });
  await page.reload();
  await expect(page.locator('.place')).toHaveText(/\d/);
  expect(await place(page)).toBeLessThanOrEqual(before);
  await expect(page.locator('dd').first()).toHaveText(/minute/);
  expect(joins).toBe(0);
});

test('the place only falls, and the bar fills', async ({ buyer, page }) => {
  await inLine(buyer, 'Forward', 40);
  const seen = [await place(page)];
  while (seen.length < 4) {
    await expect.poll(() => place(page)).not.toBe(seen.at(-1));
    seen.push(await place(page));
  }
  expect(seen).toEqual(seen.toSorted((a, b) => b - a));
  expect(Number(await page.getByRole('progressbar').getAttribute('aria-valuenow'))).toBeGreaterThan(0);
});

test('while the gateway is away the place stays on the screen and polling continues', async ({ buyer, page, context, pardoned }) => {
  pardoned.push(/ERR_INTERNET_DISCONNECTED|Failed to load resource/);
  await inLine(buyer, 'Away', 40);
  const before = await place(page);
  await context.setOffline(true);
  await expect(page.getByText(buyer.words.reconnecting)).toContainText('Your place is kept.');
  await expect(page.locator('.place')).toBeVisible();
  await buyer.isAccessible();
  await context.setOffline(false);
  await expect(page.getByText(buyer.words.reconnecting)).toHaveCount(0);
  expect(await place(page)).toBeLessThanOrEqual(before);
});

test('after an error the page waits as long as the gateway asks', async ({ buyer, page, pardoned }) => {
  pardoned.push(/503/);
  await inLine(buyer, 'Busy', 40);
  const asked = [];
  await page.route('**/queue/status?**', (route) => {
    asked.push(Date.now());
    if (asked.length > 1) return route.continue();
    return route.fulfill({ status: 503, headers: { 'retry-after': '2' }, json: { error: { code: 'UNAVAILABLE', message: 'later' } } });
  });
  await expect(page.getByText(buyer.words.failing)).toBeVisible();
  await expect.poll(() => asked.length).toBeGreaterThan(1);
  expect(asked[1] - asked[0]).toBeGreaterThanOrEqual(2_000);
  await expect(page.getByText(buyer.words.failing)).toHaveCount(0);
});

test('a hidden page keeps waiting without drawing, and its title shows the turn', async ({ buyer, page }) => {
  await inLine(buyer, 'Hidden', 6);
  const setHidden = (hidden) => page.evaluate((value) => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => value });
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);
  await page.evaluate(() => {
    window.drawn = 0;
    new MutationObserver((changes) => { window.drawn += changes.length; })
      .observe(document.querySelector('.ticket'), { childList: true, subtree: true, characterData: true, attributes: true });
  });
  const started = page.waitForEvent('worker');
  await setHidden(true);
  expect((await started).url()).toContain('/assets/alarm.js');
  let asked = 0;
  page.on('request', (request) => { asked += Number(request.url().includes('/queue/status')); });
  await expect.poll(() => asked).toBeGreaterThan(0);
  await expect.poll(() => page.title()).toContain('★');
  expect(await page.evaluate(() => window.drawn)).toBe(0);
  await setHidden(false);
  await expect.poll(() => page.title()).not.toContain('★');
  await buyer.heading('choose');
});

test('leaving the line is confirmed and reported', async ({ buyer, page }) => {
  await inLine(buyer, 'Leaving', 40);
  await buyer.button('leave').click();
  const dialog = page.getByRole('dialog');
  await expect(dialog).toBeVisible();
  await buyer.isAccessible();
  await page.keyboard.press('Escape');
  await expect(dialog).toHaveCount(0);
  await buyer.button('leave').click();
  await dialog.getByRole('button', { name: buyer.words.leave }).click();
  await expect(buyer.notice(buyer.words.left)).toBeVisible();
  await expect(page.locator('#polite')).toHaveText(buyer.words.left);
});

test('a ticket that is not recognised is replaced without a question', async ({ buyer, page, pardoned }) => {
  pardoned.push(/40[014]/);
  const show = await inLine(buyer, 'Lost ticket', 40);
  await page.evaluate((id) => {
    const key = `tacos.show.${id}`;
    localStorage.setItem(key, JSON.stringify({ ...JSON.parse(localStorage.getItem(key)), ticket: 'not-a-ticket' }));
  }, show.event_id);
  const joined = page.waitForResponse((response) => response.url().endsWith('/queue/join') && response.ok());
  await page.reload();
  await joined;
  await expect(page.locator('.place')).toHaveText(/\d/);
  await expect(buyer.notice('you have joined the line anew')).toBeVisible();
});

test('a lost answer does not cost the pass that it brought', async ({ buyer, page }) => {
  const show = await putOnSale('Lost pass', 5);
  const asked = [];
  await page.route('**/queue/enter', async (route) => {
    asked.push(route);
    // The gateway answers the first request; its answer reaches nobody, and no error reports that.
    if (asked.length === 1) await route.fetch();
    else await route.continue();
  });
  await buyer.signIn();
  await buyer.open(show);
  await buyer.button('join').click();
  await expect.poll(() => asked.length).toBe(1);
  // Aborted by the page itself, and sent again.
  await expect.poll(() => asked.length).toBe(2);
  await buyer.heading('choose');
});

test('a sign-in that expires soon is reported and renewed without losing the place', async ({ buyer, page, token }) => {
  await inLine(buyer, 'A long wait', 90);
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const { sub } = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
  // An unsigned token: nothing that carries it is sent while the person waits.
  const ending = `${part({ alg: 'none' })}.${part({ sub, exp: Math.floor(Date.now() / 1_000) + 300 })}.none`;
  await page.evaluate((text) => sessionStorage.setItem('tacos.access_token', text), ending);
  await expect(buyer.notice(/Your sign-in ends soon/)).toBeVisible();
  await buyer.isAccessible();
  await page.getByRole('button', { name: 'Sign in again' }).click();
  await buyer.signInWhenAsked();
  await expect(buyer.notice(/Your sign-in ends soon/)).toHaveCount(0);
  await expect(page.locator('.place')).toHaveText(/\d/);
});

test('the page shows the operator\'s message and pause', async ({ buyer, page }) => {
  await page.route('**/queue/status?**', async (route) => {
    const response = await route.fetch();
    const status = await response.json();
    await route.fulfill({ response, json: { ...status, paused: true, eta_sec: null, message: 'Back at eight.' } });
  });
  await inLine(buyer, 'Paused', 40);
  await expect(page.getByText('Back at eight.')).toBeVisible();
  await expect(page.getByText('nobody can say while the line is paused', { exact: true })).toBeVisible();
  await buyer.isAccessible();
});

test('the language changes without losing the place', async ({ buyer, page }) => {
  await inLine(buyer, 'Two languages', 40);
  await page.getByRole('button', { name: '한국어' }).click();
  await expect(page.locator('html')).toHaveAttribute('lang', 'ko');
  await expect(page.getByText('내 순서')).toBeVisible();
  await buyer.isAccessible();
  await page.reload();
  await expect(page.getByText('내 순서')).toBeVisible();
});

test('the index names every module, so that they load in parallel', async ({ page, request }) => {
  const index = await (await request.get('/')).text();
  const loaded = new Set();
  page.on('request', (each) => {
    const { pathname } = new URL(each.url());
    if (pathname.endsWith('.js')) loaded.add(pathname);
  });
  await page.goto('/');
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  expect(loaded.size).toBeGreaterThan(1);
  expect(Array.from(loaded).filter((module) => !index.includes(`"${module}"`))).toEqual([]);
});

test('both languages have every text, of the same kind', async ({ page }) => {
  await page.goto('/');
  const uneven = await page.evaluate(async () => {
    const { texts } = await import('/assets/i18n.js');
    return Object.entries(texts).filter(([, [ko, en]]) => typeof ko !== typeof en || ko === undefined).map(([key]) => key);
  });
  expect(uneven).toEqual([]);
});
