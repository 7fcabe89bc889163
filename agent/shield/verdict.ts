/** What the shield says of a text that came from somebody else. */

export const VERDICTS = ['benign', 'suspicious', 'malicious'] as const;
export type ShieldVerdict = (typeof VERDICTS)[number];

export const SHIELD_KINDS = [
  'prompt_injection',
  'encoded_prompt_injection',
  'terminal_escape',
  'terminal_link',
  'control_character',
  'bidi_override',
  'tag_characters',
  'hidden_data',
  'invisible_characters',
  'homoglyph',
  'lookalike_separator',
  'styled_letters',
  'markup',
  'markdown_exfiltration',
  'lookup_injection',
  'formula',
] as const;
export type ShieldKind = (typeof SHIELD_KINDS)[number];

export interface ShieldReason {
  kind: ShieldKind;
  verdict: ShieldVerdict;
  /** What was found, safe to show. */
  detail: string;
}

export interface Classified {
  verdict: ShieldVerdict;
  reasons: readonly ShieldReason[];
}

/** Where a text stood: some things are ordinary in one place and never in another. */
export type TextKind = 'command' | 'argument' | 'path' | 'dns' | 'log';

export const BENIGN: Classified = { verdict: 'benign', reasons: [] };

/** The worst of the reasons. */
export function concluded(reasons: readonly ShieldReason[]): Classified {
  if (reasons.length === 0) return BENIGN;
  return {
    verdict: reasons.some(({ verdict }) => verdict === 'malicious') ? 'malicious' : 'suspicious',
    reasons,
  };
}
