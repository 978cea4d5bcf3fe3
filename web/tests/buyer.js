// A buyer at the page: the fixtures of the tests, and steps that several tests share.

import AxeBuilder from '@axe-core/playwright';
import { test as base, expect } from '@playwright/test';
import { BASE_URL, accessToken, joinOthers, putOnSale } from './platform.js';

export { expect };

export const WORDS = {
  en: {
    join: 'Join the line', place: 'Your place', choose: 'Choose your seats', reserve: 'Hold and pay', pay: 'Payment',
    approve: 'Approved', decline: 'Declined', payNow: /^Pay /, confirmed: 'Your seats are confirmed',
    declined: 'The payment was declined', again: 'Choose again', seat: (row, number) => new RegExp(`^Row ${row} seat ${number}, `),
    quantity: /Tickets/, expired: 'The hold has run out', cancel: 'Cancel reservation', cancelled: 'The reservation is cancelled',
    shows: 'On sale now', signIn: 'Sign in', token: 'Access token', leave: 'Leave the line', left: 'You have left the line.',
    reconnecting: /reconnecting/, failing: /does not answer right now/, toPayment: 'Go to payment',
    money: '₩240,000',
  },
  ko: {
    join: '대기열 참여하기', place: '내 순서', choose: '좌석을 선택해 주세요', reserve: '선점하고 결제하기', pay: '결제',
    approve: '승인', decline: '거절', payNow: /결제하기$/, confirmed: '예매가 확정되었습니다',
    declined: '결제가 거절되었습니다', again: '다시 선택하기', seat: (row, number) => new RegExp(`^${row}열 ${number}번, `),
    quantity: /매수/, expired: '선점 시간이 끝났습니다', cancel: '예매 취소', cancelled: '예매가 취소되었습니다',
    shows: '지금 판매 중인 공연', signIn: '로그인', token: '액세스 토큰', leave: '대기열에서 나가기', left: '대기열에서 나왔습니다.',
    reconnecting: /다시 연결/, failing: /서비스가 응답하지 않아/, toPayment: '결제로 가기',
    money: '₩240,000',
  },
};

export const LOCALES = { en: 'en-US', ko: 'ko-KR' };

/**
 * `buyer`: signed in, in the language `tongue`; anything that must never happen in a page fails the
 * test.
 */
export const test = base.extend({
  tongue: ['en', { option: true }],
  locale: async ({ tongue }, use) => use(LOCALES[tongue]),
  token: async ({}, use, info) => use(accessToken(info.parallelIndex)),
  /** Errors that a test causes on purpose, such as by cutting the connection. */
  pardoned: async ({}, use) => use([]),
  buyer: async ({ page, tongue, token, pardoned }, use) => {
    const complaints = [];
    page.on('pageerror', (error) => complaints.push(`error: ${error}`));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(`console: ${message.text()}`);
    });
    page.on('request', (request) => {
      const url = new URL(request.url());
      if (url.origin !== new URL(BASE_URL).origin && url.protocol !== 'data:') complaints.push(`request to ${url.origin}`);
    });
    await page.addInitScript(() => {
      window.violations = [];
      document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
        console.error(`policy: ${violatedDirective} ${blockedURI}`));
    });
    await use(new Buyer(page, WORDS[tongue], token));
    const bad = complaints.filter((text) => !pardoned.some((pattern) => pattern.test(text)));
    expect(bad, 'what must never happen in the page').toEqual([]);
  },
});

/** Puts a show with a line on sale, lets others go first, and joins. */
export async function inLine(buyer, name, others) {
  const show = await putOnSale(name, 1);
  await joinOthers(show, others);
  await buyer.signIn();
  await buyer.open(show);
  await buyer.button('join').click();
  await expect(buyer.page.locator('.place')).toHaveText(/\d/);
  return show;
}

export class Buyer {
  constructor(page, words, token) {
    Object.assign(this, { page, words, token });
  }

  /** Arrives from the identity provider; the token leaves the address at once. */
  async signIn() {
    await this.page.goto(`/#access_token=${this.token}`);
    await this.heading('shows');
    expect(this.page.url()).not.toContain('access_token');
  }

  /** Opens an address as somebody would share it; a move inside the page, like a link. */
  async open(show) {
    const opened = this.page.waitForResponse((response) => response.url().endsWith(`/${show.event_id}/availability`));
    await this.page.evaluate((id) => { window.location.hash = `#/show/${id}`; }, show.event_id);
    await opened;
  }

  /** Opens the list by the site's name, which is on every screen. */
  async toShows() {
    await this.page.getByRole('banner').getByRole('link', { name: 'Traffic Tacos' }).click();
    await this.heading('shows');
  }

  /** A text in the page itself; a notice is also announced to screen readers, beside it. */
  notice(text) {
    return this.page.getByRole('main').getByText(text);
  }

  /** Pastes a token into the open dialog. */
  async signInWhenAsked(text = this.token) {
    const dialog = this.page.getByRole('dialog');
    await dialog.getByLabel(this.words.token).fill(text);
    await dialog.getByRole('button', { name: this.words.signIn }).click();
  }

  heading(word) {
    return expect(this.page.getByRole('heading', { level: 1, name: this.words[word] })).toBeVisible();
  }

  button(word) {
    return this.page.getByRole('button', { name: this.words[word] });
  }

  seat(row, number) {
    return this.page.getByRole('gridcell', { name: this.words.seat(row, number) });
  }

  async choose(...seats) {
    for (const [row, number] of seats) {
      await this.seat(row, number).click();
      await expect(this.seat(row, number)).toHaveAttribute('aria-selected', 'true');
    }
  }

  async reserve() {
    await this.button('reserve').click();
    await this.heading('pay');
  }

  async pay(outcome) {
    await this.page.getByRole('radio', { name: this.words[outcome], exact: false }).first().check();
    await this.button('payNow').click();
  }

  /** Checks that axe finds no violation of WCAG or of good practice. */
  async isAccessible() {
    const { violations } = await new AxeBuilder({ page: this.page }).analyze();
    const found = violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(' | ')}`);
    expect(found).toEqual([]);
    const width = await this.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    expect(width, 'the page is wider than the window').toBeLessThanOrEqual(0);
  }
}
