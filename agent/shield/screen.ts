/**
 * The fast look at every text: one pass over its characters that says what, if anything, is worth a closer look. Most
 * command lines give no cause and cost nothing else.
 *
 * Words are compared by a 32-bit hash of their letters (lower case, digits read as the letters they stand for). A chance
 * hit only costs the closer look.
 */

export const Cause = {
  control: 1,
  beyondAscii: 2,
  markup: 4,
  lookup: 8,
  formula: 16,
  words: 32,
  longRun: 64,
} as const;

/** Words that instructions to a reader are made of. Two of them in one text give cause. */
const HOT =
  'ignore ignores ignoring disregard forget override bypass previous prior preceding instruction instructions prompt prompts ' +
  'system assistant chatgpt copilot claude gemini llm llms gpt analyst analysts attention benign harmless malicious positive ' +
  'classify label mark treat consider escalate dismiss suppress investigate investigation alert alerts reveal verbatim ' +
  'pretend jailbreak roleplay guidelines guardrails directive directives respond reply authorized approved sanctioned ' +
  'reviewer model ai dear developer unrestricted restrictions safe legitimate trusted severity invoke tool tools act ' +
  'ignora ignorez ignoriere olvida vergiss oubliez dimentica instrucciones anweisungen istruzioni consignes instrucoes ' +
  'above rules must further required answer dan flag following summary telemetry reading role verdict ' +
  'negeer instructies zignoruj instrukcje ignorera instruktioner regeln reglas secrets credentials close false';
/** As they look in ROT13 or backwards. */
const DISGUISED = 'ignore disregard forget previous instructions prompt system benign assistant';

const table = new Uint8Array(1 << 13);
const MASK = table.length - 1;

function hashOf(word: string): number {
  let hash = 0;
  for (let i = 0; i < word.length; i++) hash = (Math.imul(hash, 31) + word.charCodeAt(i)) | 0;
  return hash;
}

for (const word of HOT.split(' ')) table[(hashOf(word) ^ (hashOf(word) >>> 13)) & MASK] = 1;
for (const word of DISGUISED.split(' ')) {
  const turned = word.replace(/[a-z]/g, (c) => String.fromCharCode(((c.charCodeAt(0) - 97 + 13) % 26) + 97));
  for (const other of [turned, Array.from(word).reverse().join('')]) {
    const hash = hashOf(other);
    table[(hash ^ (hash >>> 13)) & MASK] = 1;
  }
}

/** What a character is: 0 ends a word, else the lower-case letter it counts as. */
const LETTER = new Uint8Array(128);
const FLAG = new Uint8Array(128);
for (let c = 97; c <= 122; c++) {
  LETTER[c] = c;
  LETTER[c - 32] = c;
}
'013457'.split('').forEach((digit, index) => (LETTER[digit.charCodeAt(0)] = 'oieast'.charCodeAt(index)));
for (let c = 0; c < 32; c++) FLAG[c] = Cause.control;
FLAG[9] = 0;
FLAG[10] = 0;
FLAG[127] = Cause.control;
FLAG['<'.charCodeAt(0)] = Cause.markup;
FLAG['`'.charCodeAt(0)] = 0;

const MIN_RUN = 32;

/** The causes for a closer look, 0 for none. */
export function screen(text: string): number {
  const { length } = text;
  let causes = 0;
  let hash = 0;
  let hot = 0;
  let run = 0;
  let longest = 0;
  let wasLower = false;
  for (let i = 0; i < length; i++) {
    const c = text.charCodeAt(i);
    if (c >= 128) {
      causes |= Cause.beyondAscii;
      hash = 0;
      run = 0;
      wasLower = false;
      continue;
    }
    const letter = LETTER[c] as number;
    if (letter === 0) {
      causes |= FLAG[c] as number;
      if (hash !== 0) {
        hot += table[(hash ^ (hash >>> 13)) & MASK] as number;
        hash = 0;
      }
      // Digits without a letter's look, + / = and % go on with a run of base64, hex or percent codes.
      if ((c >= 48 && c <= 57) || c === 43 || c === 47 || c === 61) run += 1;
      else {
        if (run > longest) longest = run;
        run = 0;
        if (
          (c === 91 && (text.charCodeAt(i + 1) === 73 || text.charCodeAt(i + 1) === 47)) ||
          (c === 35 && text.charCodeAt(i + 1) === 35)
        )
          causes |= Cause.words;
        else if (c === 36 && text.charCodeAt(i + 1) === 123) causes |= Cause.lookup;
        else if ((c === 93 || c === 33) && (text.charCodeAt(i + 1) === 40 || text.charCodeAt(i + 1) === 91))
          causes |= Cause.markup;
        else if (
          c === 58 &&
          hot >= 0 &&
          i >= 10 &&
          (text.charCodeAt(i - 1) | 32) === 116 &&
          (text.charCodeAt(i - 10) | 32) === 106
        )
          causes |= Cause.markup;
      }
      wasLower = false;
      continue;
    }
    run += 1;
    const isUpper = c >= 65 && c <= 90;
    if (isUpper && wasLower && hash !== 0) {
      hot += table[(hash ^ (hash >>> 13)) & MASK] as number;
      hash = 0;
    }
    wasLower = c >= 97;
    hash = (Math.imul(hash, 31) + letter) | 0;
  }
  if (hash !== 0) hot += table[(hash ^ (hash >>> 13)) & MASK] as number;
  if (run > longest) longest = run;
  if (hot >= 2) causes |= Cause.words;
  if (longest >= MIN_RUN) causes |= Cause.longRun;
  const first = text.charCodeAt(0);
  if (first === 61 || first === 43 || first === 45 || first === 64 || first === 9 || first === 13) {
    if (text.includes('(') || text.includes('|')) causes |= Cause.formula;
  }
  return causes;
}
