/**
 * The shield: whether a text that came from somebody else is made to act on whoever reads it, a person at a terminal, a
 * browser, a spreadsheet or a language model. Rules with reasons; nothing is learnt and nothing is fetched.
 */
import { domainToUnicode } from 'node:url';
import { hiddenReasons, lookAlikeReasons, terminalReasons } from './characters.ts';
import { promptSigns } from './prompts.ts';
import { Cause, screen } from './screen.ts';
import { BENIGN, concluded, type Classified, type ShieldReason, type TextKind } from './verdict.ts';

/** Longer texts are looked at in their first and last part. */
const MAX_TEXT = 16_384;
const MAX_RUNS = 8;

const MARKUP =
  /<script>(?=[^\s\\,.)\]])|<script\s+\w+\s*=|<\/script|<iframe\b|<object\b[^>]*data|<embed\b|<svg\b[^>]*\bon\w+\s*=|<\w+\b[^<>]*\s(?:on(?:error|load|click|mouseover|focus|toggle|begin|start)|formaction|srcdoc)\s*=|<(?:meta|base|link|form)\b[^>]*(?:http-equiv|href|action)\s*=|<img\b[^>]*\bsrc\s*=|(?:java|vb)script:\s*\S|data:text\/html|<!ENTITY\b|<style\b[^>]*>[^<]*(?:@import|expression\()/i;
const MARKDOWN =
  /!\[[^\]]*\]\(\s*(?:https?:)?\/\/[^)\s]*[?&/=$%{<][^)]*\)|!\[[^\]]*\]\(\s*https?:\/\/[^)]*\)|\[[^\]]*\]\(\s*(?:javascript|data|vbscript):/i;
const LOOKUP = /\$\{[^}]{0,80}jndi\s*:|\$\{\$\{[^}]*:|\$\{::-|%24%7bjndi/i;
const OTHER_LOOKUP = /\$\{(?:env|sys|java|lower|upper|ctx|main|bundle|log4j):[A-Za-z_]/;
const DDE = /[|][^!\n]{0,200}![A-Za-z]{1,3}\d*|\bDDE(?:AUTO)?\b/i;
const FORMULA_CALL =
  /\b(?:HYPERLINK|IMPORT(?:XML|DATA|FEED|HTML|RANGE)|WEBSERVICE|FILTERXML|CALL|EXEC|REGISTER|RTD|DDE|ENCODEURL|IMAGE|SHELL)\s*\(/i;

function promptReasons(text: string, reasons: ShieldReason[]): void {
  const { points, what } = promptSigns(text);
  // A name of a few words says too little for one weak sign.
  if (points < 2 || (points < 3 && text.length < 32)) return;
  reasons.push({
    kind: 'prompt_injection',
    verdict: points >= 3 ? 'malicious' : 'suspicious',
    detail: `speaks to its reader: ${what.join(', ')}`,
  });
}

/** Instructions inside base64, hex or percent codes. */
function encodedReasons(text: string, reasons: ShieldReason[]): void {
  const runs = text.match(/[A-Za-z0-9+/_-]{32,}={0,2}/g)?.slice(0, MAX_RUNS) ?? [];
  for (const run of runs) {
    const decoded = [Buffer.from(run, 'base64').toString('latin1')];
    if (/^(?:[0-9a-fA-F]{2})+$/.test(run)) decoded.push(Buffer.from(run, 'hex').toString('latin1'));
    for (const inside of decoded) {
      const readable = inside.match(/[\x20-\x7e\n]/g)?.length ?? 0;
      if (readable < inside.length * 0.9 || !inside.includes(' ')) continue;
      const { points, what } = promptSigns(inside);
      if (points < 3) continue;
      reasons.push({
        kind: 'encoded_prompt_injection',
        verdict: 'malicious',
        detail: `encoded text that ${what.join(', ')}`,
      });
      return;
    }
  }
}

function formulaReasons(text: string, reasons: ShieldReason[]): void {
  const start = /^[\s"']*(?:[=+@]|-(?!-))/.test(text);
  if (!start) return;
  if (DDE.test(text) || FORMULA_CALL.test(text))
    reasons.push({
      kind: 'formula',
      verdict: 'malicious',
      detail: 'a formula that runs or fetches something when a spreadsheet opens it',
    });
  else if (/^[\s"']*[=@][A-Z]{2,12}\s*\(/.test(text) || /^[+-][A-Z]{2,12}\(/.test(text))
    reasons.push({
      kind: 'formula',
      verdict: 'suspicious',
      detail: 'begins like a formula of a spreadsheet',
    });
}

function closer(text: string, kind: TextKind, causes: number): Classified {
  const reasons: ShieldReason[] = [];
  const beyond = (causes & Cause.beyondAscii) !== 0;
  if (
    (causes & Cause.control) !== 0 ||
    /[\u0080-\u009f]/.test(text) ||
    ((kind === 'path' || kind === 'dns') && text.includes('\n'))
  )
    terminalReasons(text, kind, reasons);
  if (beyond) {
    hiddenReasons(text, reasons);
    lookAlikeReasons(text, kind, reasons);
  }
  if ((causes & Cause.markup) !== 0 || beyond) {
    if (MARKUP.test(text))
      reasons.push({ kind: 'markup', verdict: 'malicious', detail: 'markup that a browser would act on' });
    if (MARKDOWN.test(text))
      reasons.push({
        kind: 'markdown_exfiltration',
        verdict: 'malicious',
        detail: 'an image or link that sends something when it is shown',
      });
  }
  if ((causes & Cause.lookup) !== 0) {
    const detail = 'a lookup that a logging library would carry out';
    if (LOOKUP.test(text)) reasons.push({ kind: 'lookup_injection', verdict: 'malicious', detail });
    else if (OTHER_LOOKUP.test(text))
      reasons.push({ kind: 'lookup_injection', verdict: 'suspicious', detail });
  }
  if ((causes & Cause.formula) !== 0) formulaReasons(text, reasons);
  if ((causes & (Cause.words | Cause.markup)) !== 0 || beyond) promptReasons(text, reasons);
  if ((causes & Cause.longRun) !== 0) encodedReasons(text, reasons);
  return concluded(reasons);
}

/** Classifies one text. Benign ones without a cause for a closer look cost one pass over their characters. */
export function classify(text: string, kind: TextKind): Classified {
  const part = text.length <= MAX_TEXT ? text : text.slice(0, MAX_TEXT / 2) + text.slice(-MAX_TEXT / 2);
  let causes = screen(part);
  if (kind === 'dns' && part.includes('xn--')) {
    const decoded = domainToUnicode(part);
    if (decoded !== '') return closer(decoded, kind, screen(decoded) | Cause.beyondAscii);
  }
  if ((kind === 'path' || kind === 'dns') && part.includes('\n')) causes |= Cause.control;
  return causes === 0 ? BENIGN : closer(part, kind, causes);
}

/** Classifies a command line: each argument by itself, and all of them as one text. */
export function classifyCommand(argv: readonly string[]): Classified {
  const line = argv.join(' ');
  const whole = classify(line, 'command');
  // Only a formula is one by where it begins.
  for (const argument of argv) {
    const first = argument.charCodeAt(0);
    if (first !== 61 && first !== 43 && first !== 45 && first !== 64) continue;
    const own = classify(argument, 'argument');
    if (own.reasons.some(({ kind }) => kind === 'formula'))
      return concluded([...whole.reasons, ...own.reasons.filter(({ kind }) => kind === 'formula')]);
  }
  return whole;
}
