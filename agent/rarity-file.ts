/** What is usual on this machine, kept over restarts. Only advice: a file that cannot be read starts anew. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { RarityModel } from './detect/rarity.ts';

export class RarityFile {
  readonly model: RarityModel;
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
    this.model = load(path);
  }

  /** Writes the counts as they are now; a failure costs at most what was learnt since the last time. */
  save(): void {
    try {
      const nowNs = BigInt(Date.now()) * 1_000_000n;
      writeFileSync(`${this.#path}.tmp`, JSON.stringify(this.model.export(nowNs)), { mode: 0o640 });
      renameSync(`${this.#path}.tmp`, this.#path);
    } catch {
      // A full disk shows in the logs' state long before it matters here.
    }
  }
}

function load(path: string): RarityModel {
  try {
    return RarityModel.import(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return new RarityModel();
  }
}
