// Waiting: what a reload, a lost connection, another tab in front and a change of mind do to somebody in line.

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

test('a gateway that is away leaves the place on the screen and is asked again', async ({ buyer, page, context, pardoned }) => {
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

test('errors of the gateway are waited out as long as it says', async ({ buyer, page, pardoned }) => {
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

test('a hidden page goes on waiting without drawing, and its title tells the turn', async ({ buyer, page }) => {
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

test('leaving the line is asked twice and told', async ({ buyer, page }) => {
  await inLine(buyer, 'Leaving', 40);
  await buyer.button('leave').click();
  const dialog = page.getByRole('dialog');
  await expect(dialog).toBeVisible();
  await buyer.isAccessible();
  await page.keyboard.press('Escape');
  await expect(dialog).toHaveCount(0);
  await buyer.button('leave').click();
  await dialog.getByRole('button', { name: buyer.words.leave }).click();
  await expect(buyer.told(buyer.words.left)).toBeVisible();
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
  await expect(buyer.told('you have joined the line anew')).toBeVisible();
});

test('an answer that brings a pass and is lost does not cost the pass', async ({ buyer, page }) => {
  const show = await putOnSale('Lost pass', 5);
  const asked = [];
  await page.route('**/queue/enter', async (route) => {
    asked.push(route);
    // The gateway answers the first; its answer reaches nobody, and no error tells of that.
    if (asked.length === 1) await route.fetch();
    else await route.continue();
  });
  await buyer.signIn();
  await buyer.open(show);
  await buyer.button('join').click();
  await expect.poll(() => asked.length).toBe(1);
  // Given up by the page itself, and asked for again.
  await expect.poll(() => asked.length).toBe(2);
  await buyer.heading('choose');
});

test('a sign-in that ends soon is told to whoever waits, and renewed without losing the place', async ({ buyer, page, token }) => {
  await inLine(buyer, 'A long wait', 90);
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const { sub } = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
  // Not signed by anybody: while one waits, nothing is sent that carries it.
  const ending = `${part({ alg: 'none' })}.${part({ sub, exp: Math.floor(Date.now() / 1_000) + 300 })}.none`;
  await page.evaluate((text) => sessionStorage.setItem('tacos.access_token', text), ending);
  await expect(buyer.told(/Your sign-in ends soon/)).toBeVisible();
  await buyer.isAccessible();
  await page.getByRole('button', { name: 'Sign in again' }).click();
  await buyer.signInWhenAsked();
  await expect(buyer.told(/Your sign-in ends soon/)).toHaveCount(0);
  await expect(page.locator('.place')).toHaveText(/\d/);
});

test('what the operator says and does is told', async ({ buyer, page }) => {
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

test('the index names every module, so that none waits for another', async ({ page, request }) => {
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

test('every text is there in both languages, of the same kind', async ({ page }) => {
  await page.goto('/');
  const uneven = await page.evaluate(async () => {
    const { texts } = await import('/assets/i18n.js');
    return Object.entries(texts).filter(([, [ko, en]]) => typeof ko !== typeof en || ko === undefined).map(([key]) => key);
  });
  expect(uneven).toEqual([]);
});
