/** Retention of the logs. */
export class Retention {
  readonly options: object;
  constructor(options: object) {
    this.options = options;
  }
  stored(_cursors: object): void {}
  tick(): void {}
}
