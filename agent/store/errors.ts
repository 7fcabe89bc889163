/** Errors of the timeline store. Each says what happened, what it means for the record, and what to do. */

/** The database is damaged or of another kind. It was moved aside; open again and feed it from the write-ahead log. */
export class TimelineCorruptError extends Error {
  override readonly name = 'TimelineCorruptError';
  /** Where the damaged file lies now; undefined when it could not be moved (read-only). */
  readonly movedTo: string | undefined;
  constructor(path: string, movedTo: string | undefined, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(
      movedTo === undefined
        ? `the timeline ${path} is damaged (${reason}): start the agent, which rebuilds it from the write-ahead log`
        : `the timeline ${path} was damaged (${reason}) and is now ${movedTo}: nothing of the log is lost, rebuild it from the write-ahead log`,
      { cause },
    );
    this.movedTo = movedTo;
  }
}

/** The timeline cannot be opened: missing, no permission, or made by a newer version. */
export class TimelineOpenError extends Error {
  override readonly name = 'TimelineOpenError';
}

/** A write failed and was undone. The events are safe in the write-ahead log and can be stored again later. */
export class TimelineWriteError extends Error {
  override readonly name = 'TimelineWriteError';
  constructor(path: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(
      `cannot write the timeline ${path} (${reason}); the write-ahead log keeps what it misses: free some disk space or check its permissions`,
      { cause },
    );
  }
}

/** A page cursor or id that this store did not hand out. */
export class TimelineCursorError extends Error {
  override readonly name = 'TimelineCursorError';
  readonly code = 'bad_request';
}
