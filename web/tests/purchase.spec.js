// The whole purchase: join, wait, enter, choose, hold, pay.

import { Buyer, expect, test } from './buyer.js';
import { HOLD_SECONDS, joinOthers, putOnSale, reserve } from './platform.js';

for (const tongue of ['ko', 'en']) {
  test.describe(`in ${tongue}`, () => {
    // Contrast differs in the dark, so one of the two runs checks it.
    test.use({ tongue, colorScheme: tongue === 'ko' ? 'dark' : 'light' });

    test('from the line to the ticket, with every screen accessible', async ({ buyer, page }) => {
      const show = await putOnSale('봄밤의 재즈 Spring Jazz', 2);
      // So many that a slow machine sees the bar before the turn comes.
      await joinOthers(show, 30);
      await buyer.signIn();
      await expect(page.locator('html')).toHaveAttribute('lang', tongue);
      await buyer.isAccessible();
      await buyer.open(show);
      await expect(buyer.button('join')).toBeVisible();
      await buyer.isAccessible();
      await buyer.button('join').click();
      await expect(page.getByText(buyer.words.place, { exact: true })).toBeVisible();
      await expect(page.getByRole('progressbar')).toBeVisible();
      await buyer.isAccessible();
      await buyer.heading('choose');
      await buyer.choose([3, 7], [3, 8]);
      await expect(page.getByText(buyer.words.money).first()).toBeVisible();
      await buyer.reserve();
      await expect(page.getByRole('timer')).toHaveText(/^\d:\d\d$/);
      await buyer.isAccessible();
      await buyer.pay('approve');
      await buyer.heading('confirmed');
      await expect(page.locator('.seat-name')).toHaveCount(2);
      await expect(page.locator('.order')).not.toBeEmpty();
      await buyer.isAccessible();
      // The outcome survives a reload as well.
      await page.reload();
      await buyer.heading('confirmed');
    });

    test('a decline, and then an approval', async ({ buyer, page }) => {
      const show = await putOnSale('Two attempts');
      await buyer.signIn();
      await buyer.open(show);
      await buyer.choose([2, 2]);
      // Checked here, where no pass expires while hundreds of seats are checked.
      await buyer.isAccessible();
      await buyer.reserve();
      await buyer.pay('decline');
      await buyer.heading('declined');
      await buyer.isAccessible();
      await page.getByRole('link', { name: buyer.words.again }).click();
      await buyer.choose([2, 2], [2, 3]);
      await buyer.reserve();
      await buyer.pay('approve');
      await buyer.heading('confirmed');
    });
  });
}

test('after a decline the person joins again for the next attempt', async ({ buyer, page }) => {
  const show = await putOnSale('In line twice', 5);
  await buyer.signIn();
  await buyer.open(show);
  await buyer.button('join').click();
  await buyer.choose([1, 1]);
  await buyer.reserve();
  await buyer.pay('decline');
  await buyer.heading('declined');
  await page.getByRole('link', { name: buyer.words.again }).click();
  await buyer.button('join').click();
  // The pass of the first turn is used and valid for half a minute: the page waits for that by
  // itself.
  await expect(page.getByRole('heading', { level: 1, name: buyer.words.choose })).toBeVisible({ timeout: 90_000 });
  await buyer.choose([1, 1]);
  await buyer.reserve();
  await buyer.pay('approve');
  await buyer.heading('confirmed');
});

test('with the keyboard alone', async ({ buyer, page }) => {
  const show = await putOnSale('By keyboard', 5);
  await buyer.signIn();
  const press = (key) => page.keyboard.press(key);
  /** Presses Tab until the element has the focus, as a person without a mouse has to. */
  const reach = async (locator) => {
    await locator.waitFor();
    const stops = await page.locator('a, button, input, textarea').count();
    for (let n = 0; n <= stops; n++) {
      if (await locator.evaluate((element) => element === document.activeElement)) return;
      await press('Tab');
    }
    throw new Error(`${locator} was not reached`);
  };
  await reach(page.locator(`a[href="#/show/${show.event_id}"]`));
  await press('Enter');
  await reach(buyer.button('join'));
  await press('Enter');
  await buyer.heading('choose');
  await reach(buyer.seat(1, 1));
  await press('ArrowDown');
  await press('ArrowRight');
  await expect(buyer.seat(2, 2)).toBeFocused();
  await press('Space');
  await expect(buyer.seat(2, 2)).toHaveAttribute('aria-selected', 'true');
  await press('End');
  await press('Control+Home');
  await expect(buyer.seat(1, 1)).toBeFocused();
  await reach(buyer.button('reserve'));
  await press('Enter');
  await buyer.heading('pay');
  await reach(page.getByRole('radio', { name: buyer.words.approve }).first());
  await press('Enter');
  await buyer.heading('confirmed');
});

test('general admission', async ({ buyer, page }) => {
  const show = await putOnSale('On the floor');
  await buyer.signIn();
  await buyer.open(show);
  await page.getByRole('radio', { name: /Floor/ }).check();
  await page.getByRole('button', { name: 'One ticket more' }).click();
  await expect(page.getByLabel(buyer.words.quantity)).toHaveValue('2');
  await buyer.isAccessible();
  await buyer.reserve();
  await expect(page.getByText('Floor × 2')).toBeVisible();
  await buyer.pay('approve');
  await buyer.heading('confirmed');
});

test('a seat that another buyer takes is let go, and a notice says so', async ({ buyer, page, token }) => {
  const show = await putOnSale('A race');
  await buyer.signIn();
  await buyer.open(show);
  await buyer.choose([4, 4], [4, 5]);
  await reserve(show, ['A-4-4'], token);
  await expect(page.getByRole('alert')).toContainText('R row 4 seat 4');
  await expect(buyer.seat(4, 4)).toHaveAttribute('aria-disabled', 'true');
  await expect(buyer.seat(4, 5)).toHaveAttribute('aria-selected', 'true');
});

test('a conflict names the seat', async ({ buyer, page, token, pardoned }) => {
  pardoned.push(/409/);
  const show = await putOnSale('A close race');
  await buyer.signIn();
  await buyer.open(show);
  // The page does not learn of the other buyer before it asks for the seat.
  await page.route('**/seats?**', (route, request) => (request.frame() && seen ? hold(route) : route.continue()));
  let seen = false;
  const held = [];
  const hold = (route) => { held.push(route); };
  await buyer.choose([5, 5], [5, 6]);
  seen = true;
  await reserve(show, ['A-5-5'], token);
  const answered = page.waitForResponse((response) => response.url().endsWith('/reservations') && response.status() === 409);
  await buyer.button('reserve').click();
  await answered;
  seen = false;
  await Promise.all(held.map((route) => route.continue()));
  await expect(page.getByRole('alert')).toContainText('R row 5 seat 5');
  await expect(buyer.seat(5, 6)).toHaveAttribute('aria-selected', 'true');
  await buyer.reserve();
});

test('cancelling gives the seats back', async ({ buyer, page }) => {
  const show = await putOnSale('Second thoughts');
  await buyer.signIn();
  await buyer.open(show);
  await buyer.choose([1, 5]);
  await buyer.reserve();
  await buyer.button('cancel').click();
  const dialog = page.getByRole('dialog');
  await expect(dialog).toBeVisible();
  await buyer.isAccessible();
  await dialog.getByRole('button', { name: buyer.words.cancel }).click();
  await buyer.heading('cancelled');
  await page.getByRole('link', { name: buyer.words.again }).click();
  await expect(buyer.seat(1, 5)).toHaveAttribute('aria-disabled', 'false');
});

test('a reload before and during the payment continues it', async ({ buyer, page }) => {
  const show = await putOnSale('A reload');
  await buyer.signIn();
  await buyer.open(show);
  await buyer.choose([1, 9]);
  await buyer.reserve();
  await page.reload();
  await buyer.heading('pay');
  await page.getByRole('radio', { name: /Approved late/ }).check();
  const keys = new Set();
  page.on('request', (request) => {
    if (request.url().endsWith('/payment/intent')) keys.add(request.headers()['idempotency-key']);
  });
  const opened = page.waitForResponse((response) => response.url().endsWith('/payment/intent'));
  await buyer.button('payNow').click();
  await opened;
  await page.reload();
  await buyer.heading('confirmed');
  expect(keys.size, 'one payment, however often it was asked for').toBe(1);
});

test('a lost answer and a reload make one reservation', async ({ buyer, page, pardoned }) => {
  pardoned.push(/ERR_FAILED|Failed to load resource/);
  const show = await putOnSale('Lost on its way');
  await buyer.signIn();
  await buyer.open(show);
  await buyer.choose([7, 7]);
  const made = [];
  const lose = async (route) => {
    made.push(await (await route.fetch()).json());
    await route.abort();
  };
  await page.route('**/reservations', lose);
  await buyer.button('reserve').click();
  await expect(page.getByText(buyer.words.reconnecting)).toBeVisible();
  // There is no place in a line to keep.
  await expect(page.locator('#trouble')).not.toContainText('place');
  await page.unroute('**/reservations', lose);
  await page.reload();
  await buyer.heading('pay');
  expect(page.url()).toContain(made[0].reservation_id);
});

test('the buyer can give up a provider that never answers', async ({ buyer, page }) => {
  const show = await putOnSale('Silence');
  await buyer.signIn();
  await buyer.open(show);
  await buyer.choose([1, 1]);
  await buyer.reserve();
  await page.getByRole('radio', { name: /No answer/ }).check();
  await buyer.button('payNow').click();
  await expect(page.getByRole('heading', { level: 1, name: /Waiting for the payment/ })).toBeVisible();
  await buyer.button('cancel').click();
  await page.getByRole('dialog').getByRole('button', { name: buyer.words.cancel }).click();
  await buyer.heading('cancelled');
});

test('the back button returns to the seats, and the hold is not forgotten', async ({ buyer, page }) => {
  const show = await putOnSale('There and back');
  await buyer.signIn();
  await buyer.open(show);
  await buyer.choose([1, 1]);
  await buyer.reserve();
  await page.goBack();
  await buyer.heading('choose');
  await page.getByRole('link', { name: buyer.words.toPayment }).click();
  await buyer.heading('pay');
});

test('a hold expires', async ({ buyer }) => {
  test.skip(!HOLD_SECONDS, 'HOLD_SECONDS says that holds are short enough to wait for');
  test.setTimeout((HOLD_SECONDS + 240) * 1_000);
  const show = await putOnSale('Too slow');
  await buyer.signIn();
  await buyer.open(show);
  await buyer.choose([1, 1]);
  await buyer.reserve();
  if (HOLD_SECONDS > 11) {
    await expect(buyer.page.locator('#urgent')).toHaveText('The seats are held for 10 more seconds.', { timeout: HOLD_SECONDS * 1_000 });
  }
  await expect(buyer.page.getByRole('heading', { level: 1, name: buyer.words.expired })).toBeVisible({ timeout: (HOLD_SECONDS + 60) * 1_000 });
  await buyer.isAccessible();
});

test('a signed-out person is asked to sign in when it is needed', async ({ buyer, page, token }) => {
  const show = await putOnSale('For members');
  await page.goto(`/#/show/${show.event_id}`);
  await buyer.choose([1, 1]);
  await buyer.button('reserve').click();
  const dialog = page.getByRole('dialog');
  await expect(dialog).toBeVisible();
  await buyer.isAccessible();
  await buyer.signInWhenAsked('nonsense');
  await expect(dialog.getByRole('alert')).not.toBeEmpty();
  // As a terminal breaks it.
  await buyer.signInWhenAsked(` ${token.match(/.{1,40}/g).join('\n  ')}\n`);
  await buyer.heading('pay');
});

test('a person who signs in when asked is shown the seats that they hold', async ({ buyer, context }) => {
  const show = await putOnSale('Held in another tab');
  await buyer.signIn();
  await buyer.open(show);
  await buyer.choose([1, 1]);
  await buyer.reserve();
  const page = await context.newPage();
  const again = new Buyer(page, buyer.words, buyer.token);
  let sent = 0;
  page.on('request', (request) => { sent += Number(request.method() === 'POST' && request.url().endsWith('/reservations')); });
  await page.goto(`/#/show/${show.event_id}`);
  await again.choose([2, 2]);
  await again.button('reserve').click();
  await again.signInWhenAsked();
  await expect(page.getByRole('link', { name: buyer.words.toPayment })).toBeVisible();
  expect(sent).toBe(0);
});

test('a payment begun in one tab is the payment in all tabs', async ({ buyer, page, context }) => {
  const show = await putOnSale('Two tabs');
  await buyer.signIn();
  await buyer.open(show);
  await buyer.choose([1, 1]);
  await buyer.reserve();
  const other = await context.newPage();
  const again = new Buyer(other, buyer.words, buyer.token);
  await again.signIn();
  await other.goto(page.url());
  await again.heading('pay');
  let intents = 0;
  for (const tab of [page, other]) tab.on('request', (request) => { intents += Number(request.url().endsWith('/payment/intent')); });
  const waits = (tab) => expect(tab.getByRole('heading', { level: 1, name: /Waiting for the payment/ })).toBeVisible();
  await page.getByRole('radio', { name: /No answer/ }).check();
  await buyer.button('payNow').click();
  await waits(page);
  const isKnown = () => Object.entries(localStorage).some(([key, value]) => key.startsWith('tacos.payment.') && JSON.parse(value).intent);
  await expect.poll(() => other.evaluate(isKnown)).toBe(true);
  // Its form was open before; a choice there would be decided at once.
  await again.pay('approve');
  await waits(other);
  await other.reload();
  await waits(other);
  expect(intents).toBe(1);
});

test('the end of an old reservation does not hide the held one', async ({ buyer, page }) => {
  const show = await putOnSale('Old and new');
  await buyer.signIn();
  await buyer.open(show);
  await buyer.choose([1, 1]);
  await buyer.reserve();
  const old = page.url();
  await buyer.button('cancel').click();
  await page.getByRole('dialog').getByRole('button', { name: buyer.words.cancel }).click();
  await buyer.heading('cancelled');
  await page.getByRole('link', { name: buyer.words.again }).click();
  await buyer.choose([1, 2]);
  await buyer.reserve();
  await page.goto(old);
  await buyer.heading('cancelled');
  await buyer.open(show);
  await expect(page.getByRole('link', { name: buyer.words.toPayment })).toBeVisible();
});

test('a device that slept shows the real time left', async ({ buyer, page }) => {
  const show = await putOnSale('Asleep');
  await buyer.signIn();
  await buyer.open(show);
  await buyer.choose([1, 1]);
  await buyer.reserve();
  const seconds = async () => {
    const [minutes, rest] = (await page.getByRole('timer').textContent()).split(':');
    return Number(minutes) * 60 + Number(rest);
  };
  const before = await seconds();
  await page.evaluate(() => {
    // The page's clock stood still for 15 s that passed for everybody else.
    const now = performance.now.bind(performance);
    performance.now = () => now() - 15_000;
    document.dispatchEvent(new Event('visibilitychange'));
  });
  // Well before the 15 s have passed, after which any value would pass.
  await expect.poll(seconds, { timeout: 9_000 }).toBeLessThanOrEqual(before);
});

test('a full storage does not stop a purchase', async ({ buyer, page }) => {
  await page.addInitScript(() => {
    Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); };
  });
  const show = await putOnSale('No room');
  await buyer.signIn();
  await buyer.open(show);
  await buyer.choose([1, 1]);
  await buyer.reserve();
  await buyer.pay('approve');
  await buyer.heading('confirmed');
});

test('an old request is not sent again without a click', async ({ buyer, page }) => {
  const show = await putOnSale('Long ago');
  await buyer.signIn();
  const { sub } = JSON.parse(Buffer.from(buyer.token.split('.')[1], 'base64url'));
  const body = { event_id: show.event_id, seat_ids: ['A-1-1'], quantity: 1 };
  await page.evaluate(([key, place]) => localStorage.setItem(key, JSON.stringify(place)), [
    `tacos.show.${show.event_id}`, { person: sub, pending: { key: crypto.randomUUID(), body, at: Date.now() - 3 * 60_000 } },
  ]);
  let sent = 0;
  page.on('request', (request) => { sent += Number(request.url().endsWith('/reservations')); });
  await buyer.open(show);
  await expect(buyer.seat(1, 1)).toHaveAttribute('aria-disabled', 'false');
  expect(sent).toBe(0);
});

test.describe('on a phone', () => {
  test.use({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 });

  test('nothing is wider than the screen, and touch targets are large enough', async ({ buyer, page }) => {
    const show = await putOnSale('On the way');
    await buyer.signIn();
    await buyer.isAccessible();
    await buyer.open(show);
    await buyer.choose([1, 14], [1, 15]);
    await buyer.isAccessible();
    const small = await page.evaluate(() => Array.from(document.querySelectorAll('button, a.primary, a.secondary, label.chip'))
      .filter((element) => element.getClientRects().length)
      .map((element) => [element.textContent, element.getBoundingClientRect()])
      .filter(([, { width, height }]) => Math.min(width, height) < 44)
      .map(([text, { width, height }]) => `${text} ${width}×${height}`));
    expect(small).toEqual([]);
    await buyer.reserve();
    await buyer.isAccessible();
    await buyer.pay('approve');
    await buyer.heading('confirmed');
    await buyer.isAccessible();
  });
});
