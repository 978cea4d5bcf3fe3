// Every text of the page in Korean and English, and the formats of numbers, money and time.

import { recall, remember } from './memory.js';

const LANGUAGES = ['ko', 'en'];

/** [Korean, English]. A text with a parameter is a function. */
export const texts = {
  skip: ['본문으로 건너뛰기', 'Skip to content'],
  otherLanguage: ['English', '한국어'],
  foot: [
    '좌석은 잠시 동안만 선점됩니다. 결제가 끝나야 예매가 확정됩니다.',
    'Seats are held for a short while only. They are yours once they are paid for.',
  ],
  signedInAs: [(who) => `${who} 님`, (who) => who],
  signIn: ['로그인', 'Sign in'],
  signOut: ['로그아웃', 'Sign out'],
  signInTitle: ['로그인이 필요합니다', 'Please sign in'],
  signInSource: [
    '액세스 토큰은 이 사이트의 인증 제공자가 발급합니다. 로컬 환경에서는 “tacos token --sub 이름” 명령으로 받을 수 있습니다.',
    'Access tokens come from this site’s identity provider; on a local platform, “tacos token --sub NAME” prints one.',
  ],
  signInLabel: ['액세스 토큰', 'Access token'],
  signInBad: ['액세스 토큰이 아닙니다. 전체를 빠짐없이 붙여 넣어 주세요.', 'That is not an access token. Please paste all of it.'],
  signInEnded: [
    '로그인이 만료되었습니다. 계속하려면 다시 로그인해 주세요.',
    'Your sign-in has run out. Please sign in again to go on.',
  ],
  signInEndsSoon: [
    '로그인이 곧 만료됩니다. 차례를 놓치지 않도록 다시 로그인해 주세요.',
    'Your sign-in ends soon. Please sign in again so that your turn is not lost.',
  ],
  signInOver: [
    '로그인이 만료되었습니다. 차례를 놓치지 않도록 다시 로그인해 주세요.',
    'Your sign-in has ended. Please sign in again so that your turn is not lost.',
  ],
  signInAgain: ['다시 로그인', 'Sign in again'],
  close: ['닫기', 'Close'],
  unreachable: ['연결이 끊겨 다시 연결하고 있습니다.', 'Connection lost, reconnecting.'],
  busy: ['요청이 많아 잠시 뒤에 다시 시도합니다.', 'Many requests at once, trying again in a moment.'],
  failing: ['지금 서비스가 응답하지 않아 다시 시도하고 있습니다.', 'The service does not answer right now; trying again.'],
  placeKept: ['순서는 그대로 유지됩니다.', 'Your place is kept.'],
  loading: ['불러오는 중…', 'Loading…'],
  wrong: ['문제가 생겼습니다', 'Something went wrong'],
  wrongText: ['요청을 처리하지 못했습니다. 다시 시도해 주세요.', 'The request could not be completed. Please try again.'],
  again: ['다시 시도', 'Try again'],
  missing: ['찾을 수 없습니다', 'Not found'],
  missingText: [
    '주소가 잘못되었거나 더 이상 판매하지 않는 공연입니다.',
    'The address is wrong, or the show is no longer on sale.',
  ],
  missingReservation: [
    '이 예매가 없거나 다른 사람의 예매입니다.',
    'There is no such reservation, or it is somebody else’s.',
  ],
  toShows: ['공연 목록으로', 'All shows'],

  shows: ['지금 판매 중인 공연', 'On sale now'],
  noShows: ['지금 판매 중인 공연이 없습니다.', 'Nothing is on sale right now.'],
  left: [(n, total) => `${total}석 중 ${n}석 남음`, (n, total) => `${n} of ${total} seats left`],
  leftShort: [(n) => `${n}석 남음`, (n) => `${n} left`],
  soldOut: ['매진', 'Sold out'],
  hasLine: ['대기열 있음', 'Waiting line'],
  inLine: ['대기 중', 'You are in line'],
  holding: ['좌석 선점 중', 'You hold seats'],

  sections: ['구역과 가격', 'Sections and prices'],
  section: ['구역', 'Section'],
  price: ['가격', 'Price'],
  remaining: ['남은 좌석', 'Seats left'],
  lineExplained: [
    '순서대로 입장합니다. 차례가 되면 자동으로 좌석 선택 화면이 열립니다.',
    'People enter in order. When it is your turn, the seats open by themselves.',
  ],
  join: ['대기열 참여하기', 'Join the line'],
  joining: ['대기열에 참여하는 중…', 'Joining the line…'],
  joinAgain: ['다시 참여하기', 'Join the line again'],
  lineFull: [
    '대기열이 가득 찼습니다. 자리가 나는 대로 자동으로 참여합니다.',
    'The line is full. You will be let in as soon as there is room.',
  ],
  lineClosed: ['대기열이 마감되어 새로 참여할 수 없습니다.', 'The line is closed; nobody new can join.'],
  passUsed: [
    (n) => `지난 차례는 이미 사용했습니다. ${n}초 뒤에 대기열에 자동으로 다시 참여합니다.`,
    (n) => `Your last turn has been used. You will join the line again in ${n} s.`,
  ],
  ticketLost: [
    '이전 대기표를 확인할 수 없어 대기열에 새로 참여했습니다.',
    'Your earlier ticket could not be recognised, so you have joined the line anew.',
  ],
  ticketOver: ['차례가 지났습니다. 원하시면 대기열에 다시 참여해 주세요.', 'Your turn has passed. You can join the line again.'],
  lineLeft: ['대기열에서 나왔습니다.', 'You have left the line.'],
  passOver: [
    '좌석을 선택할 시간이 끝났습니다. 원하시면 대기열에 다시 참여해 주세요.',
    'The time to choose seats is over. You can join the line again.',
  ],
  passRefused: [
    '입장 허가가 더 이상 유효하지 않습니다. 대기열에 다시 참여해 주세요.',
    'Your admission is no longer valid. Please join the line again.',
  ],

  waiting: ['차례를 기다리고 있습니다', 'You are in line'],
  yourPlace: ['내 순서', 'Your place'],
  place: [(n) => `${n}번째`, (n) => n],
  placeUnit: ['번째', ''],
  ahead: [
    (n) => (n === 0 ? '바로 다음 차례입니다' : `앞에 ${format(n)}명`),
    (n) => (n === 0 ? 'You are next' : n === 1 ? '1 person ahead of you' : `${format(n)} people ahead of you`),
  ],
  etaLabel: ['예상 대기 시간', 'Expected wait'],
  etaSoon: ['1분 미만', 'less than a minute'],
  etaMinutes: [(n) => `약 ${n}분`, (n) => (n === 1 ? 'about a minute' : `about ${n} minutes`)],
  etaHours: [(n) => `약 ${n}시간`, (n) => `about ${n} hours`],
  etaPaused: ['대기열이 멈춰 있어 알 수 없음', 'nobody can say while the line is paused'],
  etaUnknown: ['아직 알 수 없음', 'nobody can say yet'],
  paused: ['대기열이 잠시 멈췄습니다. 순서는 그대로 유지됩니다.', 'The line is paused. You keep your place.'],
  waited: ['기다린 시간', 'Waiting for'],
  progress: ['대기 진행률', 'Progress in line'],
  notice: ['안내', 'Notice'],
  keepOpen: [
    '새로고침하거나 다른 공연을 둘러보거나 잠시 연결이 끊겨도 순서는 그대로 유지됩니다. 이 사이트를 닫지만 말아 주세요.',
    'A reload, a look at other shows or a lost connection does not cost you your place. Just keep a page of ours open.',
  ],
  leave: ['대기열에서 나가기', 'Leave the line'],
  leaveSure: ['대기열에서 나가시겠습니까? 지금 순서는 사라집니다.', 'Leave the line? You will lose your place.'],
  stay: ['계속 기다리기', 'Keep waiting'],
  said: [
    (place, eta) => `현재 순서 ${place}번째. 예상 대기 시간: ${eta}.`,
    (place, eta) => `You are number ${place}. Expected wait: ${eta}.`,
  ],
  yourTurn: ['입장할 차례입니다', 'It is your turn'],
  yourTurnNow: ['입장할 차례입니다. 좌석을 선택해 주세요.', 'It is your turn. Choose your seats.'],
  turnOf: [
    (show) => `입장할 차례입니다${show ? `: ${show}` : ''} — 좌석을 선택해 주세요`,
    (show) => `It is your turn${show ? `: ${show}` : ''} — choose your seats`,
  ],

  choose: ['좌석을 선택해 주세요', 'Choose your seats'],
  chooseIn: ['좌석 선택 남은 시간', 'Time left to choose'],
  chooseLeft: [(n) => `좌석 선택 시간이 ${n}초 남았습니다.`, (n) => `${n} seconds left to choose seats.`],
  seatsOf: [(section) => `${section} 좌석 배치도`, (section) => `Seats of ${section}`],
  stage: ['무대', 'Stage'],
  keys: ['화살표 키로 이동하고 스페이스 키로 선택합니다.', 'Move with the arrow keys, choose with Space.'],
  seatSpoken: [
    (row, number, status, price) => `${row ? `${row}열 ` : ''}${number}번, ${status}, ${price}`,
    (row, number, status, price) => `${row ? `Row ${row} ` : ''}${row ? 'seat' : 'Seat'} ${number}, ${status}, ${price}`,
  ],
  seatShort: [
    (section, row, number) => `${section} ${row ? `${row}열 ` : ''}${number}번`,
    (section, row, number) => `${section}${row ? ` row ${row}` : ''} seat ${number}`,
  ],
  AVAILABLE: ['예매 가능', 'available'],
  HELD: ['다른 사람이 선점 중', 'held by somebody else'],
  SOLD: ['판매됨', 'sold'],
  BLOCKED: ['판매하지 않음', 'not for sale'],
  SELECTED: ['선택함', 'chosen'],
  mostSeats: [(n) => `한 번에 ${n}석까지 선택할 수 있습니다.`, (n) => `You can choose up to ${n} seats at once.`],
  taken: [
    (seats) => `방금 다른 사람이 가져간 좌석이 있어 선택을 해제했습니다: ${seats}`,
    (seats) => `Somebody else was faster; no longer chosen: ${seats}`,
  ],
  takenSome: [
    '선택한 좌석 중 일부를 다른 사람이 먼저 가져갔습니다. 다시 선택해 주세요.',
    'Somebody else was faster with some of these seats. Please choose again.',
  ],
  tooFew: [
    '남은 좌석이 부족합니다. 수를 줄이거나 다른 구역을 선택해 주세요.',
    'There are not enough seats left. Choose fewer, or another section.',
  ],
  refused: ['좌석을 선점하지 못했습니다. 다른 좌석으로 다시 시도해 주세요.', 'The seats could not be held. Please try other seats.'],
  quantity: ['매수', 'Tickets'],
  fewer: ['한 장 줄이기', 'One ticket less'],
  more: ['한 장 늘리기', 'One ticket more'],
  general: ['자유석', 'General admission'],
  nothingChosen: ['아직 선택한 좌석이 없습니다', 'No seats chosen yet'],
  chosen: [(n, sum) => `${n}석 · ${sum}`, (n, sum) => `${n === 1 ? '1 seat' : `${n} seats`} · ${sum}`],
  reserve: ['선점하고 결제하기', 'Hold and pay'],
  reserving: ['선점하는 중…', 'Holding…'],
  held: [
    (n) => `${n}석을 선점했습니다. 결제해 주세요.`,
    (n) => `${n === 1 ? 'One seat is' : `${n} seats are`} held for you. Please pay.`,
  ],
  continuePaying: ['선점한 좌석이 있습니다.', 'You hold seats.'],
  toPayment: ['결제로 가기', 'Go to payment'],

  pay: ['결제', 'Payment'],
  holdLeft: ['선점 남은 시간', 'Held for you for'],
  holdSpoken: [(n) => `선점 시간이 ${n}초 남았습니다.`, (n) => `The seats are held for ${n} more seconds.`],
  yourSeats: ['선택한 좌석', 'Your seats'],
  total: ['합계', 'Total'],
  reservationNumber: ['예매 번호', 'Reservation'],
  outcome: ['결제 결과 선택 (모의 결제)', 'How should the simulated payment end?'],
  approve: ['승인', 'Approved'],
  approveText: ['카드사가 바로 승인합니다.', 'The provider approves at once.'],
  decline: ['거절', 'Declined'],
  declineText: ['카드사가 바로 거절하고 좌석은 풀립니다.', 'The provider declines at once, and the seats are released.'],
  delay: ['늦은 승인', 'Approved late'],
  delayText: ['몇 초 뒤에 승인합니다.', 'The provider approves after some seconds.'],
  timeout: ['무응답', 'No answer'],
  timeoutText: ['응답이 오지 않아 선점 시간이 지나갑니다.', 'The provider never answers, and the hold runs out.'],
  payNow: [(sum) => `${sum} 결제하기`, (sum) => `Pay ${sum}`],
  paying: ['결제 결과를 기다리고 있습니다…', 'Waiting for the payment’s result…'],
  payingText: ['새로고침해도 결제는 계속됩니다.', 'The payment continues if you reload the page.'],
  settling: ['결제가 승인되었습니다. 예매를 확정하고 있습니다…', 'The payment is approved. Confirming your reservation…'],
  declined: ['결제가 거절되었습니다.', 'The payment was declined.'],
  declinedHeld: [
    '결제가 거절되었습니다. 좌석은 아직 선점되어 있으니 다시 결제할 수 있습니다.',
    'The payment was declined. The seats are still held for you, so you can pay again.',
  ],
  declinedGone: [
    '결제가 거절되어 좌석이 풀렸습니다. 돈은 나가지 않았습니다. 다시 선택해 주세요.',
    'The payment was declined and the seats were released. No money was taken. Please choose again.',
  ],
  payRefused: ['결제를 시작하지 못했습니다. 다시 시도해 주세요.', 'The payment could not be started. Please try again.'],
  cancel: ['예매 취소', 'Cancel reservation'],
  cancelSure: [
    '예매를 취소하시겠습니까? 좌석은 바로 다른 사람에게 풀립니다.',
    'Cancel the reservation? The seats go to others at once.',
  ],
  keep: ['계속 진행', 'Keep it'],
  cancelLate: ['이미 취소할 수 없는 상태입니다.', 'It is too late to cancel this reservation.'],
  checking: ['선점 시간이 끝나 결과를 확인하고 있습니다…', 'The hold is over; checking the result…'],

  confirmed: ['예매가 확정되었습니다', 'Your seats are confirmed'],
  confirmedSpoken: ['예매가 확정되었습니다.', 'Your seats are confirmed.'],
  orderNumber: ['주문 번호', 'Order'],
  enjoy: ['즐거운 관람 되세요.', 'Enjoy the show.'],
  expired: ['선점 시간이 끝났습니다', 'The hold has run out'],
  expiredText: ['좌석이 풀렸습니다. 돈은 나가지 않았습니다.', 'The seats were released. No money was taken.'],
  expiredPaid: [
    '좌석이 풀렸습니다. 결제가 되었다면 자동으로 환불됩니다.',
    'The seats were released. If money was taken, it is refunded by itself.',
  ],
  cancelled: ['예매가 취소되었습니다', 'The reservation is cancelled'],
  cancelledText: ['좌석이 풀렸습니다.', 'The seats were released.'],
  declinedTitle: ['결제가 거절되었습니다', 'The payment was declined'],
  chooseAgain: ['다시 선택하기', 'Choose again'],
};

const KEY = 'tacos.language';
/** Dispatches `change` when the language changes. */
export const language = new EventTarget();
let current = pick();

function pick() {
  const wanted = [recall('localStorage', KEY), ...navigator.languages].map((tag) => (tag ?? '').slice(0, 2).toLowerCase());
  return wanted.find((tag) => LANGUAGES.includes(tag)) ?? 'en';
}

export const currentLanguage = () => current;
export const otherLanguage = () => (current === 'ko' ? 'en' : 'ko');

export function choose(tag) {
  current = tag;
  remember('localStorage', KEY, tag);
  language.dispatchEvent(new Event('change'));
}

/** The text of a key, or of a key and its parameter. */
export function t(key, ...about) {
  const text = texts[key][LANGUAGES.indexOf(current)];
  return typeof text === 'function' ? text(...about) : text;
}

export const format = (number) => new Intl.NumberFormat(current).format(number);

/**
 * Formats an amount in minor units, of which each currency has its own number: ₩ none, $ a hundred.
 */
export function money(minor, currency) {
  const style = new Intl.NumberFormat(current, { style: 'currency', currency });
  return style.format(minor / 10 ** style.resolvedOptions().maximumFractionDigits);
}

/** A rough duration, rounded up, because nobody minds being early. */
export function eta(seconds, isPaused) {
  if (isPaused) return t('etaPaused');
  if (seconds === null || seconds === undefined) return t('etaUnknown');
  if (seconds < 60) return t('etaSoon');
  const minutes = Math.ceil(seconds / 60);
  return minutes <= 90 ? t('etaMinutes', minutes) : t('etaHours', Math.ceil(minutes / 60));
}

/** An elapsed time, exact to the minute. */
export function duration(seconds) {
  const say = (value, unit) => new Intl.NumberFormat(current, { style: 'unit', unit, unitDisplay: 'long' }).format(value);
  if (seconds < 60) return say(Math.floor(seconds), 'second');
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return say(minutes, 'minute');
  return `${say(Math.floor(minutes / 60), 'hour')} ${say(minutes % 60, 'minute')}`;
}
