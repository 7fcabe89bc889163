/** Dispatches `sentinel COMMAND`. Exit codes: 0 ok, 1 finding or failure, 2 usage. */
export async function runCli(argv: readonly string[]): Promise<number> {
  process.stderr.write(`sentinel: unknown command ${argv[0] ?? ''}\n`);
  return 2;
}
