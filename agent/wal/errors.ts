/** Errors of the write-ahead log. Every message says what to do about it. */

export class WalError extends Error {
  override name = 'WalError';
}

/** The log stopped: nothing after `durableSeq` is or will be durable. */
export class WalFailedError extends WalError {
  override name = 'WalFailedError';
  readonly durableSeq: number;
  constructor(reason: string, durableSeq: number) {
    super(
      `write-ahead log failed (${reason}); records after ${durableSeq} are not durable. ` +
        'Check the disk (dmesg, free space), then restart the agent',
    );
    this.durableSeq = durableSeq;
  }
}

/** The disk is slower than the arrivals and the bound on pending bytes is reached. Nothing was accepted. */
export class WalFullError extends WalError {
  override name = 'WalFullError';
  readonly pendingBytes: number;
  constructor(pendingBytes: number, reason: string) {
    super(
      `write-ahead log has ${pendingBytes} bytes waiting for the disk${reason ? ` (${reason})` : ''}; ` +
        'append again later, or count these records as a gap',
    );
    this.pendingBytes = pendingBytes;
  }
}

/** A record cannot be stored at all. */
export class WalRecordError extends WalError {
  override name = 'WalRecordError';
}

/** Bytes on disk that are not what the format says. `file` and `offset` name the place. */
export class WalFormatError extends WalError {
  override name = 'WalFormatError';
  readonly file: string;
  readonly offset: number;
  constructor(file: string, offset: number, what: string) {
    super(`${file} at byte ${offset}: ${what}; run \`sentinel wal verify\` for the whole picture`);
    this.file = file;
    this.offset = offset;
  }
}
