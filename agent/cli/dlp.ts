/** `sentinel dlp`: build and inspect indexes of protected data, and scan for it. Needs no running agent. */
import { nearest } from '../config.ts';
import { UsageError } from '../errors.ts';
import type { Command } from './command.ts';

export const command: Command = {
  summary: 'find protected data in files',
  usage: `usage: sentinel dlp index build --schema S.yml --csv T.csv --out I.sdlp [--strict] [--key FILE] [--json]
       sentinel dlp index build --documents DIR... --out D.sdlp [--boilerplate DIR]... [--key FILE] [--json]
       sentinel dlp index build --hashes LIST --out F.sdlp [--key FILE] [--json]
       sentinel dlp index info I.sdlp... [--key FILE]... [--trust FILE]... [--json]
       sentinel dlp scan [--index I.sdlp]... [--rules R.yml]... PATH|- ... [--key FILE]... [--trust FILE]... [--json]
         [--threads N]
       sentinel dlp quarantine list | restore ID [--to PATH] | remove ID

index build reads a CSV table and writes an index of keyed hashes: the rows can be found by it, not read from it. A bad
value is named by line and column and left out; --strict stops at the first. The key is DATA/keys/dlp.key (made when
missing) or --key; without it the index is noise. To change the key, build again with the new one; while both are in
use, give --key several times when scanning.

--documents protects the text of files and folders (documents, archives and mail are read too): any 111 letters and
digits in a row of one of them are found, however wrapped or encoded. Common licences, what --boilerplate holds, and what
three unrelated documents share protect nothing. --hashes protects whole files by the lines of b3sum.

scan reads files, folders (not through symbolic links) and standard input (-), and says for each: clean, match or
unscannable. With --json one line per file. Exit code 0 when nothing matched, 1 when something did, 2 for wrong usage
or an error; files that could not be scanned are listed with the reason and counted at the end.
`,
  run: async (argv, output) => {
    const [name, ...rest] = argv;
    // Each loads on its own: building needs the identity, scanning does not.
    if (name === 'scan') return await (await import('./dlp-scan.ts')).scanCommand.run(rest, output);
    if (name === 'index') return await (await import('./dlp-index.ts')).indexCommand.run(rest, output);
    if (name === 'quarantine')
      return await (await import('./dlp-quarantine.ts')).quarantineCommand.run(rest, output);
    const meant = name === undefined ? undefined : nearest(name, ['scan', 'index', 'quarantine']);
    throw new UsageError(
      name === undefined
        ? 'say what: sentinel dlp scan or sentinel dlp index'
        : `there is no command ${JSON.stringify(`dlp ${name}`)}`,
      meant ? `did you mean dlp ${meant}?` : 'see sentinel dlp --help',
    );
  },
};
