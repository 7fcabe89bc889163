/** Tables of protected values and the ways people write them, for tests and benches. Everything from one seed. */

/** A small generator of its own (mulberry32), so that a failure can be run again. */
export function random(seed: number): { below(n: number): number; pick<T>(list: readonly T[]): T } {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  return {
    below: (n) => Math.floor(next() * n),
    pick: (list) => list[Math.floor(next() * list.length)]!,
  };
}
export type Random = ReturnType<typeof random>;

export function digits(from: Random, n: number): string {
  let text = '';
  while (text.length < n) text += String(from.below(10));
  return text;
}

/** ISO 7064 mod 97 over an IBAN rearranged: what python3-stdnum does, in big integers. */
export function iban(from: Random): string {
  const [country, length] = from.pick([
    ['DE', 22],
    ['ES', 24],
    ['NL', 18],
    ['GB', 22],
    ['FR', 27],
  ] as const);
  const bban =
    country === 'GB' || country === 'NL'
      ? from.pick(['WEST', 'ABNA', 'BARC']) + digits(from, length - 8)
      : digits(from, length - 4);
  const asNumber = `${bban}${country}00`.replaceAll(/[A-Z]/g, (c) => String(Number.parseInt(c, 36)));
  const check = 98n - (BigInt(asNumber) % 97n);
  return `${country}${String(check).padStart(2, '0')}${bban}`;
}

/** 16 digits with a check digit by Luhn. */
export function card(from: Random): string {
  const body = from.pick(['4', '51', '37']) + digits(from, 15);
  const first = body.slice(0, 15);
  let sum = 0;
  for (let i = 0; i < 15; i++) {
    const digit = Number(first[i]) * (i % 2 === 0 ? 2 : 1);
    sum += digit > 9 ? digit - 9 : digit;
  }
  return first + String((10 - (sum % 10)) % 10);
}

const NAMES = [
  'Anna',
  'José',
  'Müller',
  'Ørsted',
  "O'Brien",
  'Łukasz',
  'Иван',
  'Παύλος',
  'Smith',
  'de la Cruz',
];
const CJK = ['山田太郎', '김철수', '王小明', 'ひらがな'];

export function person(from: Random): string {
  if (from.below(5) === 0) return from.pick(CJK);
  return `${from.pick(NAMES)} ${from.pick(NAMES)}`;
}

export function email(from: Random, nth: number): string {
  return `${from.pick(['anna', 'j.doe', 'info+x', "o'neil", 'a_b'])}${nth}@${from.pick(['example.com', 'mail.co.uk', 'x-y.org'])}`;
}

const FULL_WIDTH = (char: string): string => String.fromCodePoint((char.codePointAt(0) ?? 0) + 0xfee0);
const ARABIC = (char: string): string => String.fromCodePoint(0x660 + Number(char));

/** A number, an IBAN or an id as somebody could write it. */
export function spell(from: Random, value: string): string {
  const joiner = from.pick([' ', '-', '.', '/', '\u00A0', '\u2011', ' - ', '\n', '\u2009', '_']);
  let text = value;
  switch (from.below(6)) {
    case 0:
      text = text.match(/.{1,4}/g)!.join(joiner);
      break;
    case 1:
      text = text.match(/.{1,3}/g)!.join(joiner);
      break;
    case 2:
      text = text.toLowerCase();
      break;
    default:
  }
  const script = from.below(9);
  if (script === 0) text = text.replaceAll(/[0-9A-Za-z]/g, FULL_WIDTH);
  if (script === 1) text = text.replaceAll(/[0-9]/g, ARABIC);
  return text;
}

/** A name as somebody could write it. */
export function spellName(from: Random, name: string): string {
  const ways = [
    (text: string) => text,
    (text: string) => text.toUpperCase(),
    (text: string) => text.normalize('NFD'),
    (text: string) => text.replaceAll(' ', ',\n'),
    (text: string) => text.split(' ').reverse().join(', '),
  ];
  return from.pick(ways)(name);
}

/** A cell of CSV as RFC 4180 has it. */
export function csvCell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
