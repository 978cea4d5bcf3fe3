// A person in line who opens other screens meanwhile, and what the list says that they hold.

import { expect, inLine, test } from './buyer.js';
import { putOnSale } from './platform.js';

/** Where every screen shows a turn. */
const turn = (page) => page.locator('#turn').getByRole('link');

test('the list shows the turn of a person in line', async ({ buyer, page }) => {
  await inLine(buyer, 'Elsewhere', 12);
  await buyer.toShows();
  await expect(turn(page)).toHaveText('It is your turn: Elsewhere — choose your seats');
  expect(await page.title()).toMatch(/^★ It is your turn/);
  await expect(page.locator('#urgent')).toHaveText('It is your turn: Elsewhere — choose your seats');
  await turn(page).click();
  await buyer.heading('choose');
  await expect(turn(page)).toHaveCount(0);
  await expect.poll(() => page.title()).not.toContain('★');
});

test('every screen shows a turn, in both languages, until it is over', async ({ buyer, page }) => {
  await inLine(buyer, 'Everywhere', 200);
  const other = await putOnSale('Another evening');
  await buyer.toShows();
  const ready = async (route) => {
    const response = await route.fetch();
    const ready = { status: 'ready', ready_for_entry: true, ready_for_sec: 15, eta_sec: 0, poll_after_ms: 1_000 };
    await route.fulfill({ response, json: { ...(await response.json()), ...ready } });
  };
  await page.route('**/queue/status?**', ready);
  await expect(turn(page)).toBeVisible();
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    await buyer.isAccessible();
  }
  await buyer.open(other);
  await buyer.heading('choose');
  await expect(turn(page)).toBeVisible();
  expect(await page.title()).toMatch(/^★ It is your turn/);
  await page.getByRole('button', { name: '한국어' }).click();
  await expect(turn(page)).toHaveText('입장할 차례입니다: Everywhere — 좌석을 선택해 주세요');
  expect(await page.title()).toMatch(/^★ 입장할 차례입니다/);
  await page.unroute('**/queue/status?**', ready);
  await expect(turn(page)).toHaveCount(0);
  await expect.poll(() => page.title()).not.toContain('★');
});

test('an open screen polls for its own place, and one tab is enough', async ({ buyer, page, context }) => {
  const show = await inLine(buyer, 'One asks', 60);
  const other = await context.newPage();
  const asked = { here: 0, there: 0 };
  page.on('request', (request) => { asked.here += Number(request.url().includes('/queue/status')); });
  other.on('request', (request) => { asked.there += Number(request.url().includes('/queue/status')); });
  await other.goto(`/#access_token=${buyer.token}`);
  await expect(other.locator(`a[href="#/show/${show.event_id}"]`)).toContainText('You are in line');
  await expect.poll(() => asked.here).toBeGreaterThan(2);
  expect(asked.there).toBe(0);
  // It takes over from a closed tab.
  await page.close();
  await expect.poll(() => asked.there).toBeGreaterThan(0);
});

test('a reload while the shows are unavailable does not end the signs of life', async ({ buyer, page, pardoned }) => {
  pardoned.push(/503/);
  await inLine(buyer, 'Without a hall', 60);
  let asked = 0;
  page.on('request', (request) => { asked += Number(request.url().includes('/queue/status')); });
  const away = (route) => route.fulfill({ status: 503, json: { error: { code: 'UNAVAILABLE', message: 'later' } } });
  await page.route('**/availability', away);
  await page.reload();
  await expect(page.getByText(buyer.words.failing)).toBeVisible();
  asked = 0;
  await expect.poll(() => asked).toBeGreaterThan(0);
  await page.unroute('**/availability', away);
  await expect(page.locator('.place')).toHaveText(/\d/);
});

test('the list shows held seats for as long as they are held', async ({ buyer, page, request }) => {
  const show = await putOnSale('Held and let go');
  await buyer.signIn();
  await buyer.open(show);
  await buyer.choose([1, 1]);
  await buyer.reserve();
  const id = decodeURIComponent(page.url().split('/').at(-1));
  await buyer.toShows();
  const card = page.locator(`a[href="#/show/${show.event_id}"]`);
  await expect(card).toContainText('You hold seats');
  // Where the page does not see it.
  const cancelled = await request.post(`/api/v1/reservations/${encodeURIComponent(id)}/cancel`, {
    data: {}, headers: { authorization: `Bearer ${buyer.token}`, 'idempotency-key': crypto.randomUUID() },
  });
  expect(cancelled.ok()).toBe(true);
  await page.reload();
  await buyer.heading('shows');
  await expect(card).not.toContainText('You hold seats');
});
