/**
 * Program of the extraction child in the bundle (`dlp-extract.mjs`). One process per file means that what its start costs
 * is what a small file costs: the reader is compiled already, and the one of PDFs is not touched unless it is asked for.
 */
import { loadScript } from './cached-script.ts';

const { main } = loadScript(import.meta.dirname, 'dlp-extract-reader.cjs') as { main: () => Promise<void> };

await main();
