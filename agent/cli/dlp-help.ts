/** What `--help` says of each command about protected data: at most 80 columns. */
const OVERVIEW = `usage: sentinel dlp index build | info
       sentinel dlp scan
       sentinel dlp quarantine list | restore | remove

Finds rows of your tables, text of your documents and numbers of known kinds in
files. Nothing that it writes or says holds the data itself.

  index build   make an index from a table, documents, or hashes of files
  index info    what an index protects, how old it is, who signed it
  scan          look for what indexes and rules protect, in files and folders
  quarantine    files that a policy took away: list, restore, remove

  sentinel dlp index build --schema customers.yml --csv customers.csv \\
    --out customers.sdlp
  sentinel dlp scan --index customers.sdlp ~/Documents

sentinel dlp COMMAND --help says more of each. For the running agent, put the
index into dlp/indexes of its data folder; it is in force within seconds.
`;

const INDEX = `usage: sentinel dlp index build --schema S.yml --csv T.csv --out I.sdlp
         [--strict] [--key FILE] [--data DIR] [--json]
       sentinel dlp index build --documents PATH... --out D.sdlp
         [--boilerplate PATH]... [--key FILE] [--data DIR] [--json]
       sentinel dlp index build --hashes LIST --out F.sdlp
         [--key FILE] [--data DIR] [--json]
       sentinel dlp index info I.sdlp... [--key FILE]... [--trust FILE]...
         [--data DIR] [--json]

build writes an index of keyed hashes: the data can be found by it, not read
from it. It takes the place of an older one when it is whole and on the disk.

  --schema, --csv  rows of a table. A bad value is named by line and column and
                   left out; --strict stops at the first
  --documents      the text of files and folders: any 111 letters and digits in
                   a row of one of them are found, however wrapped or encoded
  --boilerplate    text that protects nothing: templates, footers, terms
  --hashes         whole files, by the lines of b3sum
  --key            the key; DATA/keys/dlp.key otherwise, made when missing.
                   Without it the index is noise
  --data           the agent's data folder, whose key and identity are used
  --trust          a public key of whoever built an index elsewhere

  sentinel dlp index build --schema customers.yml --csv customers.csv \\
    --out customers.sdlp
  sentinel dlp index build --data /var/lib/sentinel --documents /srv/board \\
    --out /var/lib/sentinel/dlp/indexes/board.sdlp
  b3sum release/* > list && sentinel dlp index build --hashes list \\
    --out release.sdlp

To change the key, build again with the new one. While both are in use, give
--key several times when scanning.
`;

const SCAN = `usage: sentinel dlp scan [--index I.sdlp]... [--rules R.yml]... PATH|- ...
         [--all] [--snippets] [--threads N] [--timeout SECONDS]
         [--key FILE]... [--trust FILE]...
         [--data DIR] [--json]

Looks into files, folders (not through symbolic links) and standard input (-),
also inside archives, office documents, PDF and mail. Says of each file that
holds protected data what kind, how often and where; never the text. Files that
cannot be looked at are listed with the reason: they are not clean.

  --index    an index made by sentinel dlp index build
  --rules    a file of rules for patterns: cards, IBANs, secrets, words
  --all      list clean files below folders too
  --snippets each finding masked, at most four of its characters and a quarter;
             only where the settings say dlp.snippets: masked
  --threads  files looked at at once (1)
  --timeout  gives up on a file after so many seconds: it is unscannable then
  --key      keys of the indexes; DATA/keys/dlp.key otherwise
  --trust    public keys of whoever built them elsewhere
  --json     one line for each file, clean ones too

  sentinel dlp scan --index customers.sdlp ~/Documents
  sentinel dlp scan --rules payments.yml --json /srv/share > found.ndjson
  pg_dump shop | sentinel dlp scan --index customers.sdlp -

Exit code 0 when nothing was found, 1 when something was, 2 for wrong usage or
an error. Ctrl-C ends the scan and says what was left.
`;

const QUARANTINE = `usage: sentinel dlp quarantine list [--data DIR] [--json]
       sentinel dlp quarantine restore ID [--to PATH] [--data DIR] [--json]
       sentinel dlp quarantine remove ID [--data DIR] [--json]

Files that a policy with the action quarantine took away, through the running
agent. Restoring never overwrites what is there by now: --to names another
place. Owner, mode, times and extended attributes come back with the file where
the file system can hold them. Removing is for good. Both are on record.

  sentinel dlp quarantine list
  sentinel dlp quarantine restore 0123456789abcdef --to /tmp/report.csv
`;

const TEXTS: ReadonlyMap<string, string> = new Map([
  ['index', INDEX],
  ['scan', SCAN],
  ['quarantine', QUARANTINE],
]);

/** The help of the command that `argv` begins with, of all of them otherwise. */
export function dlpUsage(argv: readonly string[]): string {
  return TEXTS.get(argv[0] ?? '') ?? OVERVIEW;
}
