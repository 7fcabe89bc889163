/** Values among words of many languages, in each encoding that is used for them, also with zeros between, as databases have. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { builtIndex, scanPieces, schemaOf, type BuiltIndex } from '../../test/dlp/built-index.ts';
import { digits, random } from '../../test/dlp/tables.ts';

const VALUES = 300;

const WORDS = {
  Russian: 'Клиент банка получил договор о кредите на покупку квартиры в городе',
  Greek: 'Ο πελάτης της τράπεζας υπέγραψε τη σύμβαση για το σπίτι',
  Hebrew: 'הלקוח של הבנק חתם על חוזה לרכישת דירה בעיר',
  Arabic: 'وقع عميل البنك عقدا لشراء شقة في المدينة',
  Chinese: '客户 银行 合同 购买 公寓 城市',
  Korean: '고객 은행 계약 아파트 구매 도시',
  Japanese: 'お客様 銀行の ローン マンション 契約 コンビニ ありがとう',
  Thai: 'ลูกค้า ธนาคาร สัญญา ซื้อ เมือง',
  Hindi: 'ग्राहक बैंक अनुबंध खरीद शहर',
  German: 'Kunde der Bank für die Wohnung in der Straße über München',
} as const;

const LEGACY: readonly [keyof typeof WORDS, string][] = [
  ['Russian', 'koi8-r'],
  ['Russian', 'windows-1251'],
  ['Russian', 'ibm866'],
  ['Russian', 'iso-8859-5'],
  ['Greek', 'iso-8859-7'],
  ['Hebrew', 'windows-1255'],
  ['Arabic', 'windows-1256'],
  ['Chinese', 'gbk'],
  ['Chinese', 'big5'],
  ['Korean', 'euc-kr'],
  ['Japanese', 'shift_jis'],
  ['Japanese', 'euc-jp'],
  ['Thai', 'windows-874'],
  ['German', 'windows-1252'],
];

/** What writes text in an encoding that Node only reads: all it has of one or two bytes, turned round. */
function encoderOf(encoding: string): (text: string) => Buffer {
  const decoder = new TextDecoder(encoding);
  const bytesOf = new Map<string, number[]>();
  const note = (bytes: number[]): void => {
    const text = decoder.decode(Uint8Array.from(bytes));
    if (Array.from(text).length === 1 && text !== '\uFFFD' && !bytesOf.has(text)) bytesOf.set(text, bytes);
  };
  for (let first = 0; first < 256; first++) note([first]);
  for (let first = 0x81; first < 255; first++)
    for (let second = 0x40; second < 255; second++) note([first, second]);
  return (text) => Buffer.from(Array.from(text).flatMap((character) => bytesOf.get(character) ?? [63]));
}

describe('values among words', () => {
  const from = random(61);
  const rows = Array.from({ length: VALUES }, () => [digits(from, 13)]);
  let built: BuiltIndex;
  beforeAll(async () => {
    built = await builtIndex(
      schemaOf({ fields: [{ column: 'number', role: 'primary', type: 'number' }] }),
      rows,
    );
  });
  afterAll(() => built.remove());

  const utf16 = (text: string): Buffer => Buffer.from(text, 'utf16le');
  const unicode: [string, (text: string) => Buffer][] = [
    ['UTF-8', (text) => Buffer.from(text)],
    ['UTF-16LE', utf16],
    ['UTF-16BE', (text) => utf16(text).swap16()],
    ['UTF-16LE with a mark', (text) => utf16(`\uFEFF${text}`)],
  ];
  const cases = Object.keys(WORDS).flatMap((language) =>
    unicode.map(([encoding, encode]) => ({ language: language as keyof typeof WORDS, encoding, encode })),
  );
  for (const [language, encoding] of LEGACY) cases.push({ language, encoding, encode: encoderOf(encoding) });

  it.each(cases)('in $language are found in $encoding', async ({ language, encode }) => {
    const words = WORDS[language].split(' ');
    for (const percent of [0, 1, 5]) {
      for (const space of [' ', ''] as const) {
        const text = rows
          .map(([value]) => {
            const said = Array.from(
              { length: 12 },
              () => from.pick(words) + space + (from.below(100) < percent ? '\0' : ''),
            );
            return `${said.join('')} ${value}\n`;
          })
          .join('');
        const { hits } = await scanPieces(built.scanner, encode(text));
        expect(new Set(hits.map(({ ref }) => ref)).size, `${percent} % zeros, "${space}"`).toBe(VALUES);
      }
    }
  });
});
