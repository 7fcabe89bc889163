/**
 * What the agent says in words, in the reader's language. English is the agent's own; for another language its texts
 * are found by template, and one that is not known stays as the agent said it: true matters more than translated.
 */
import { AGENT_ES } from './es/agent.ts';
import { locale } from './i18n.ts';

interface Template {
  pattern: RegExp;
  names: readonly string[];
  said: string;
}

const fixed = new Map(AGENT_ES.filter(([en]) => !en.includes('{')));
let templates: readonly Template[] | undefined;

const BLANK = /\{(\w+)(\*?)\}/g;

const literal = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);

function templateOf([en, said]: readonly [string, string]): Template {
  const names: string[] = [];
  let source = '';
  let at = 0;
  for (const { index, 0: whole, 1: name = '' } of en.matchAll(BLANK)) {
    source += `${literal(en.slice(at, index))}([^]+?)`;
    names.push(name);
    at = index + whole.length;
  }
  return { pattern: new RegExp(`^${source}${literal(en.slice(at))}$`), names, said };
}

/** Texts are short; an agent that says more than this says it in its own words. */
const MAX_LENGTH = 2000;

function said(text: string, depth = 0): string | undefined {
  const whole = fixed.get(text);
  if (whole !== undefined) return whole;
  if (text.length > MAX_LENGTH || depth > 2) return undefined;
  templates ??= AGENT_ES.filter(([en]) => en.includes('{')).map(templateOf);
  for (const { pattern, names, said: spanish } of templates) {
    const found = pattern.exec(text);
    if (!found) continue;
    return spanish.replaceAll(BLANK, (_, name: string, words: string) => {
      const value = found[names.indexOf(name) + 1] ?? '';
      return words === '' ? value : inParts(value, depth + 1);
    });
  }
  const parts = text.split('; ');
  if (parts.length < 2) return undefined;
  const all = parts.map((part) => said(part, depth + 1));
  return all.some((part) => part !== undefined)
    ? all.map((part, n) => part ?? parts[n]).join('; ')
    : undefined;
}

function inParts(text: string, depth: number): string {
  return said(text, depth) ?? text;
}

/** The agent's text in the language of the console. */
export function sayAgent(text: string): string {
  return locale() === 'en' ? text : (said(text) ?? text);
}

/** Whether the text is known in Spanish, for the test that keeps both sides together. */
export function isKnownText(text: string): boolean {
  return said(text) !== undefined;
}
