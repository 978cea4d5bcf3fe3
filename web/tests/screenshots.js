// Pictures of every screen for review: `npm run screenshots`, into SCREENSHOTS or the folder
// `screenshots`.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Buyer, WORDS, expect, test } from './buyer.js';
import { joinOthers, putOnSale, reserve } from './platform.js';

const FOLDER = process.env.SCREENSHOTS ?? join(import.meta.dirname, 'screenshots');
const NAMES = { ko: '서울 필하모닉 신년 음악회', en: 'Seoul Philharmonic, New Year' };
const MESSAGE = { ko: '무대 점검으로 10분 늦게 시작합니다.', en: 'The stage is being checked; we begin ten minutes late.' };
const PHONE = { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };
const DESKTOP = { viewport: { width: 1280, height: 800 } };

mkdirSync(FOLDER, { recursive: true });

for (const tongue of ['ko', 'en']) {
  for (const [device, options] of Object.entries({ phone: PHONE, desktop: DESKTOP })) {
    for (const colorScheme of ['light', ...(tongue === 'ko' ? ['dark'] : [])]) {
      test.describe(`${tongue} ${device} ${colorScheme}`, () => {
        test.use({ ...options, tongue, colorScheme, reducedMotion: 'reduce' });
        test('screens', async ({ page, context, token }) => {
          const buyer = new Buyer(page, WORDS[tongue], token);
          let n = 0;
          const shot = async (name) => {
            n += 1;
            const path = join(FOLDER, `${tongue}-${device}-${colorScheme}-${String(n).padStart(2, '0')}-${name}.png`);
            await page.screenshot({ path });
          };
          const line = await putOnSale(NAMES[tongue], 2);
          const quick = await putOnSale(NAMES[tongue], 5);
          const open = await putOnSale(tongue === 'ko' ? '한강 재즈의 밤' : 'Jazz by the river');
          await joinOthers(line, 320);

          await page.goto('/');
          await buyer.heading('shows');
          await shot('signed-out');
          await page.getByRole('banner').getByRole('button', { name: buyer.words.signIn }).click();
          await expect(page.getByRole('dialog')).toBeVisible();
          await shot('sign-in');
          await buyer.signIn();
          await shot('shows');
          await buyer.open(line);
          await expect(buyer.button('join')).toBeVisible();
          await shot('introduction');
          await buyer.button('join').click();
          await expect(page.locator('dd').first()).toHaveText(/\d/);
          await shot('waiting');
          await context.setOffline(true);
          await expect(page.getByText(buyer.words.reconnecting)).toBeVisible();
          await shot('reconnecting');
          await context.setOffline(false);
          const answer = async (route) => {
            const response = await route.fetch();
            await route.fulfill({ response, json: { ...(await response.json()), paused: true, eta_sec: null, message: MESSAGE[tongue] } });
          };
          await page.route('**/queue/status?**', answer);
          await expect(page.getByText(MESSAGE[tongue])).toBeVisible();
          await shot('paused');
          await buyer.button('leave').click();
          await expect(page.getByRole('dialog')).toBeVisible();
          await shot('leaving');
          await page.getByRole('dialog').getByRole('button', { name: buyer.words.leave }).click();
          await expect(buyer.notice(buyer.words.left)).toBeVisible();
          await shot('left');
          await page.unroute('**/queue/status?**', answer);
          await buyer.open(quick);
          await buyer.button('join').click();
          await buyer.heading('choose');
          await expect(buyer.seat(1, 1)).toBeVisible();
          await shot('seats-after-waiting');
          // The pass is valid for a while longer, which every other screen shows until its ticket
          // is forgotten.
          await buyer.toShows();
          await expect(page.locator('#turn a')).toBeVisible();
          await shot('turn');
          await page.evaluate((id) => localStorage.removeItem(`tacos.show.${id}`), quick.event_id);
          await expect(page.locator('#turn a')).toHaveCount(0);

          await reserve(open, ['A-2-13', 'A-2-14', 'A-5-10', 'A-5-11', 'A-5-12', 'A-7-15'], token);
          await buyer.open(open);
          await buyer.choose([4, 13], [4, 14], [4, 15]);
          await shot('seats');
          await page.getByRole('radio', { name: /Floor/ }).check();
          await shot('general');
          await page.getByRole('radio', { name: /^R/ }).check();
          await buyer.choose([3, 14], [3, 15]);
          await buyer.reserve();
          await shot('payment');
          await page.route('**/payment/process', (route) => held.push(route));
          const held = [];
          await buyer.pay('approve');
          await expect.poll(() => held.length).toBe(1);
          await shot('paying');
          await held[0].continue();
          await page.unroute('**/payment/process');
          await buyer.heading('confirmed');
          await shot('confirmed');

          await buyer.open(open);
          await buyer.choose([6, 6]);
          await buyer.reserve();
          await buyer.pay('decline');
          await buyer.heading('declined');
          await shot('declined');
          await page.goto('/#/show/nothing');
          await expect(page.getByRole('link', { name: buyer.words.shows }).or(page.locator('a.primary'))).toBeVisible();
          await shot('missing');
        });
      });
    }
  }
}
