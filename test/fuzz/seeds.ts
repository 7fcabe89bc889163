/** What the fuzzers start from, so that inputs get past the first checks, and the words they put into inputs. */

/** The rows of test/fuzz/tables.h. */
const TABLE = [
  'iban,card,account,email,number,name,born,phone,ssn,pin',
  'DE89370400440532013000,4111111111111111,AB1234567890,anna.berg@example.com,550123456789,Anna Berg,1980-03-31,+49 30 901820,219-09-9998,48213',
  'GB82WEST12345698765432,5500005555555559,CD9876543210,j.nunez@example.org,550987654321,José Núñez,31.12.1999,0170 1234567,078-05-1120,90112',
  'FR1420041010050500013M02606,340000000000009,EF5550001112,li@example.cn,550555000111,李小龙,2001-02-03,+86 10 12345678,457-55-5462,77031',
];

const TEXTS: readonly string[] = [
  'card 4111 1111 1111 1111, ssn 219-09-9998; GB82 WEST 1234 5698 7654 32',
  'AKIAIOSFODNN7EXAMPLE aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  'ghp_000000000000000000000000000000000000 eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.x someone@example.com abbbc',
  '-----BEGIN RSA PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n',
  Array.from({ length: 40 }, (_, i) => `the plan of month ${(i * 7919) % 1000} says ${i}, `).join(''),
  '处理个人信息 für José Núñez ４１１１ паспорт 卡 \u2009 \u2010 11010519491231002X RSSMRA85T10A562S'.repeat(
    12,
  ),
];

/** Spellings of the table's rows as documents have them. */
const ROWS: readonly string[] = [
  TABLE.join('\n'),
  'Anna Berg, born 31 March 1980, pays from DE89 3704 0044 0532 0130 00; card 4111-1111-1111-1111 (AB 1234.567-890)',
  'NÚÑEZ, José: GB82 WEST 1234 5698 7654 32, ssn 078 05 1120, pin 90112, Dec 31, 1999, tel 0170/1234567',
  '李小龙 ４５７-５５-５４６２ 77031 2001年 03/02/2001 FR14 2004 1010 0505 0001 3M02 606 li@example.cn',
  'pin 48213 Berg Anna 31.3.80 219099998 ANNA.BERG@EXAMPLE.COM\n48213 Berg-Meyer Anna',
];

function withHead(head: readonly number[], text: string | Buffer): Buffer {
  return Buffer.concat([Buffer.from(head), Buffer.from(text)]);
}

/** The same in JSON, every character outside letters and digits escaped, and JSON within JSON. */
function escaped(text: string): string[] {
  const json = JSON.stringify(text).replace(/[^\w\\"]/gu, (one) =>
    Array.from(
      { length: one.length },
      (_, at) => `\\u${one.charCodeAt(at).toString(16).padStart(4, '0')}`,
    ).join(''),
  );
  const address = encodeURIComponent(text);
  return [
    json,
    JSON.stringify(json),
    JSON.stringify(text).replaceAll('/', '\\/'),
    address,
    encodeURIComponent(address),
  ];
}

/** Files to begin with. */
export function seedsOf(target: string): Buffer[] {
  switch (target) {
    case 'rows':
      return [0, 1, 2, 3, 4].flatMap((table) =>
        [...ROWS, ...ROWS.map((text) => Buffer.from(text, 'utf16le'))].flatMap((text) => [
          withHead([table, 0], text),
          ...(table === 1 ? [withHead([table, 0x7f], text)] : []),
        ]),
      );
    case 'escapes':
      return [0, 1, 2, 3, 4].flatMap((table) =>
        ROWS.flatMap(escaped).map((text) => withHead([table, table % 2 ? 0 : 0x7f], text)),
      );
    case 'index':
      // A number of the prologue, a word of the meta data, a byte of the tables, an end, nothing.
      return [0, 1, 2, 3, 4, 5, 6].flatMap((file) =>
        [1, 0].flatMap((how) =>
          [
            // Entries shorter than what is read of them.
            [96, 0, 8, 1, 0, 0, 0, 0, 0, 0, 0],
            [136, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0],
            [16, 0, 8, 255, 255, 255, 255, 0, 0, 0, 0],
            [0, 2, 4, 1, 2, 3, 4],
            [0, 8, 1, 0],
            [100, 1, 0],
            [],
          ].map((changes) => withHead([file, how, ...changes], '')),
        ),
      );
    case 'csv': {
      const types = { iban: 1, card: 2, ssn: 3, email: 4, words: 5, date: 6, phone: 7, id: 8, number: 0 };
      const primary = 0x80;
      const { iban, card, id, email, number, words, date, phone, ssn } = types;
      return [
        withHead(
          [0, 0, iban | primary, card | primary, id | primary, email | primary, number | primary, words],
          TABLE.join('\n'),
        ),
        withHead([0, 4, iban | primary, card, id | primary, email, number, words], TABLE.join('\r\n')),
        withHead(
          [0, 4, ssn | primary, words, date, phone | primary, number | primary, words],
          'a,b,c,d,e\n219-09-9998,"Berg, ""A""",1980-03-31,030 901820,48213\n',
        ),
        withHead(
          [1, 1, date, words, id | primary, 0, 0, 0],
          '\ufeffborn;name;"account"\n31.12.1999;"two\nlines";AB1234567890\n;;\n\n',
        ),
        withHead(
          [2, 0, number | primary, 0, 0, 0, 0, 0],
          'n\n１２３ ４５６-７８９.０１２\n999999999999999999999999999999\n',
        ),
      ];
    }
    case 'automaton':
      // "ab" for the first rule, forwards and backwards.
      return [
        withHead(
          [
            2, 97, 0, 97, 0, 98, 0, 98, 0, 3, 0, 0, 1, 0, 1, 2, 2, 0, 0, 1, 0, 2, 97, 0, 97, 0, 98, 0, 98, 0,
            3, 0, 1, 1, 0, 0, 2, 2, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
          ],
          'xx ab abb aab',
        ),
      ];
    default:
      return TEXTS.flatMap((text) => [Buffer.from(text), Buffer.from(text, 'utf16le')]);
  }
}

/** A dictionary in libFuzzer's form: words of the seeds, marks of encodings. */
export function dictionaryOf(target: string): string {
  const words = new Set(['\ufeff', '\u00a0', '\u3000', '４', '"', '""', '\r\n']);
  if (target === 'escapes')
    for (const word of [
      '\\u00e9',
      '\\u0020',
      '\\/',
      '\\n',
      '\\\\',
      '\\ud83d\\ude00',
      '\\\\u002d',
      '%20',
      '%3D',
      '%C3%A9',
      '%2540',
      '%25',
    ])
      words.add(word);
  const texts = target === 'rows' || target === 'csv' || target === 'escapes' ? [...ROWS, ...TABLE] : TEXTS;
  for (const text of texts)
    for (const word of text.split(/[\s,;]+/u)) if (word.length > 2 && word.length <= 40) words.add(word);
  const quoted = (bytes: Buffer): string =>
    [...bytes].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
  return [
    ...words,
    ...['\xff\xfe', '\xfe\xff', '\x00', '\xff\xff\xff\xff'].map((text) => Buffer.from(text, 'latin1')),
  ]
    .map((word) => `"${quoted(Buffer.from(word as string))}"\n`)
    .join('');
}
