/**
 * Instructions to whoever reads the record. Published families (direct override, chat-template markers, addressing the
 * model, steering the verdict, asking for secrets, role play) as weighted patterns over text read past its spelling.
 * 3 points are malicious, 2 suspicious: one strong sign, or two weak ones that go together.
 */
import { readAs, rot13, unleet } from './letters.ts';

interface Sign {
  what: string;
  points: number;
  pattern: RegExp;
}

const ORDERS =
  '(?:instructions?|prompts?|rules?|guidelines?|directions?|directives?|commands?(?! line)|orders?|training|polic(?:y|ies)|guardrails?|restrictions?|safety|messages?|text|context)';
const READER =
  '(?:ai|a i|llms?|language models?|models?|assistants?|chatbots?|agents?|copilot|chatgpt|gpt|claude|gemini|llama|soc analysts?|analysts?|security (?:analysts?|assistants?|copilot)|reviewers?|triage (?:bot|agent|system))';
const HARMLESS =
  '(?:benign|safe|harmless|clean|trusted|legitimate|false positives?|not malicious|non malicious|informational|low (?:risk|severity|priority)|resolved|closed|expected|authorized|approved)';

const sign = (what: string, points: number, source: string): Sign => ({
  what,
  points,
  pattern: new RegExp(`\\b${source}`, 'u'),
});

const SIGNS: readonly Sign[] = [
  sign(
    'overrides instructions',
    3,
    `(?:ignore|disregard|forget|override|bypass|neglect|discard|drop|do not follow|don t follow|stop following|pay no attention to)(?: \\S+){0,4}? (?:previous|prior|above|earlier|preceding|foregoing|existing|current|original|initial|your|all|any|system|every|these|the)(?: \\S+){0,4}? ?${ORDERS}\\b`,
  ),
  sign(
    'overrides what came before',
    3,
    '(?:ignore|disregard|forget) (?:everything|all|anything)(?: \\S+){0,3} (?:above|before|previous(?:ly)?|prior|earlier|said|told|so far)\\b',
  ),
  sign(
    'gives new instructions',
    2,
    '(?:new|updated|real|actual|revised|following|hidden|special|important) (?:system )?(?:instructions?|prompt|directives?|task)\\b',
  ),
  sign(
    'takes the place of the system',
    2,
    '(?:system (?:prompt|message|override|notice|instruction|note)|end of (?:log|alert|data|context|system prompt|document|input)|begin (?:system|new|admin))\\b',
  ),
  sign(
    'addresses the model',
    2,
    `(?:dear|attention|hey|hello|note to|note for|message to|message for|instructions? (?:to|for)|to (?:the|any|all)|for (?:the|any|all)) (?:\\S+ )?${READER}\\b`,
  ),
  sign(
    'addresses the model',
    2,
    `(?:if you are|you are now|you are|as) (?:an? |the )?(?:\\S+ )?(?:ai|llm|language model|large language model|ai assistant|assistant|chatbot|dan|soc analyst|security analyst)\\b`,
  ),
  sign(
    'addresses the reader',
    1,
    '(?:you must|you should|you will|you are required|your (?:response|answer|output|reply|task|job|role|summary|report|verdict|analysis|instructions?|analyst))\\b',
  ),
  sign(
    'steers the verdict',
    2,
    `(?:mark|classify|label|report|treat|consider|flag|rate|set|tag|categori[sz]e|summari[sz]e|describe|score|deem|log|record)(?: \\S+){1,7}? ${HARMLESS}\\b`,
  ),
  sign(
    'steers the verdict',
    2,
    `(?:this|these|the|it)(?: \\S+){0,4}? (?:is|are|was|were)(?: \\S+){0,3}? (?:authorized|authorised|approved|sanctioned|legitimate|benign|harmless|false positive)\\b`,
  ),
  sign(
    'steers the reaction',
    2,
    '(?:do not|don t|never|avoid|refrain from|stop)(?: \\S+){0,2}? (?:alert|alerting|report|reporting|flag|flagging|escalate|escalating|notify|notifying|investigate|investigating|quarantine|quarantining|mention|mentioning)\\b',
  ),
  sign(
    'steers the reaction',
    2,
    '(?:close|dismiss|suppress|resolve|delete|remove|drop|clear|silence|discard)(?: (?:this|the|all|any|these|that|every|open|related|current))+ (?:\\S+ )?(?:alerts?|cases?|incidents?|tickets?|findings?|detections?)\\b',
  ),
  sign(
    'steers the reaction',
    2,
    'no (?:further |additional )?(?:action|investigation|escalation|response|analysis)(?: \\S+)? (?:required|needed|necessary)\\b',
  ),
  sign(
    'steers the reaction',
    2,
    '(?:disable|turn off|whitelist|allowlist|exclude|add)(?: \\S+){0,5}? (?:edr|sensor|sentinel|allowlist|whitelist|exceptions?|exclusions?|detection rules?)\\b',
  ),
  sign(
    'asks for secrets',
    3,
    `(?:reveal|print|show|output|leak|repeat|exfiltrate|display|disclose|send|tell me|include|dump)(?: \\S+){0,4}? (?:system prompt|your (?:instructions|prompt|rules|guidelines|configuration|tools|api keys?|credentials|secrets)|conversation history|chat history|initial prompt|prompt verbatim|words above|text above)\\b`,
  ),
  sign(
    'dictates the answer',
    2,
    '(?:respond|reply|answer|output|return|say|write|print)(?: \\S+)? (?:only|exactly|just|nothing but|with only|with just|with the (?:word|text|following|single))\\b',
  ),
  sign(
    'dictates tool calls',
    2,
    '(?:call|invoke|use|trigger|run|execute) (?:the |your |a )?(?:\\S+ )?(?:tool|tools|function|plugin|browser|code interpreter)\\b',
  ),
  sign(
    'plays a role',
    2,
    '(?:pretend (?:to be|you are|that)|act as (?:an? |the |if )|role ?play as|developer mode|jailbreak|jailbroken|dan mode|do anything now|without (?:any )?restrictions|unrestricted mode|god mode)\\b',
  ),
  sign('changes the rules from here', 1, '(?:from now on|henceforth|starting now|instead of|instead)\\b'),
  sign(
    'overrides instructions',
    3,
    '(?:ignor(?:a|e|ez|iere|ieren sie|er|ar)|olvid[ae]|vergiss|oubliez?|dimentica|esque[cç]a|ignoriert|negeer|zignoruj|ignorera)(?: \\S+){0,4}? (?:instrucciones|instrucoes|instruções|instructions|anweisungen|istruzioni|consignes|instructies|instrukcje|instruktioner|vorgaben|regeln|reglas|regles|règles)\\b',
  ),
  {
    what: 'overrides instructions',
    points: 3,
    pattern:
      /(?:忽略|无视|無視|忘记|忘掉)[^\s]{0,10}(?:指令|指示|提示|说明|規則|规则)|(?:指示|命令|プロンプト)を?(?:無視|忘れ)|игнорируй(?:те)?(?: \S+){0,4} (?:инструкции|указания|команды)|이전.{0,6}(?:지시|명령).{0,6}무시|تجاهل.{0,20}(?:التعليمات|الأوامر)|התעלם.{0,20}(?:ההוראות|הנחיות)/u,
  },
];

/** Marks that only chat templates use. Looked for in the text as it is. */
const MARKERS =
  /<\|(?:im_start|im_end|system|user|assistant|endoftext|start_header_id|eot_id|begin_of_text)\|?>|\[\/?INST\]|<<\/?SYS>>|<\/?(?:system|assistant|instructions?|system[_-]?prompt|tool_call|function_call|untrusted|tool_result)>|(?:^|[\n#>\]"'])\s*#{1,3} ?(?:system|instruction|assistant)s?\s*:?(?=\s|$)|(?:^|\n)\s*(?:system|assistant|human|user)\s*:\s+\S+.*(?:instruction|ignore|you are|benign|must)/iu;

export interface PromptSigns {
  points: number;
  what: string[];
}

function signsIn(words: string): PromptSigns {
  const what = new Set<string>();
  let points = 0;
  for (const one of SIGNS) {
    if (!one.pattern.test(words) || what.has(one.what)) continue;
    what.add(one.what);
    points += one.points;
  }
  return { points, what: [...what] };
}

/** How much a text speaks to whoever reads it. Microseconds to tens of them: only for texts that gave cause. */
export function promptSigns(text: string): PromptSigns {
  const words = readAs(text);
  let best = signsIn(words);
  const plain = unleet(words);
  if (plain !== words) best = better(best, signsIn(plain));
  const turned = signsIn(rot13(words));
  if (turned.points >= 3) best = better(best, { points: turned.points, what: [...turned.what, 'in ROT13'] });
  const backwards = signsIn(Array.from(words).reverse().join(''));
  if (backwards.points >= 3)
    best = better(best, { points: backwards.points, what: [...backwards.what, 'backwards'] });
  if (MARKERS.test(text))
    best = { points: best.points + 3, what: [...best.what, 'imitates a chat template'] };
  return best;
}

function better(a: PromptSigns, b: PromptSigns): PromptSigns {
  return b.points > a.points ? b : a;
}
