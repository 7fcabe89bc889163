/** What to do while nothing is looked for: the very files and commands. */
import { t } from '../i18n/i18n.ts';
import { useApp } from '../store.ts';
import { shellCommand } from '../timeline/detail/copy-as.ts';
import { CodeLine, CopyButton } from '../ui/primitives.tsx';

const SCHEMA = `name: customers
fields:
  - {column: iban, role: primary, type: iban}
  - {column: name, role: secondary, type: words}
match: {secondary: 1, withinTokens: 24}
`;
const RULES = `name: payments
rules:
  - {id: cards, kind: pattern, pattern: card, minCount: 5}
  - {id: falcon, kind: pattern, words: [Project Falcon]}
`;

function File({ name, text }: { name: string; text: string }) {
  return (
    <div className="dlp-file">
      <div className="dlp-file-head">
        <span className="mono dim">{name}</span> <CopyButton text={text} />
      </div>
      <pre className="mono">{text}</pre>
    </div>
  );
}

export function Teach() {
  const dataDir = useApp((state) => state.health?.dataDir) ?? '/var/lib/sentinel';
  const build = (what: readonly string[], name: string): string =>
    shellCommand([
      'sentinel',
      'dlp',
      'index',
      'build',
      '--data',
      dataDir,
      ...what,
      '--out',
      `${dataDir}/dlp/indexes/${name}.sdlp`,
    ]);
  return (
    <section className="dlp-teach">
      <h2>{t('dlp.teach')}</h2>
      <div className="dlp-teach-ways">
        <div>
          <p>{t('dlp.teach.table')}</p>
          <File name="customers.yml" text={SCHEMA} />
          <p>{t('dlp.teach.build')}</p>
          <CodeLine code={build(['--schema', 'customers.yml', '--csv', 'customers.csv'], 'customers')} />
        </div>
        <div>
          <p>{t('dlp.teach.documents')}</p>
          <CodeLine code={build(['--documents', '/srv/board'], 'board')} />
          <p>{t('dlp.teach.patterns')}</p>
          <File name="payments.yml" text={RULES} />
        </div>
      </div>
      <p className="dim">{t('dlp.teach.then')}</p>
    </section>
  );
}
