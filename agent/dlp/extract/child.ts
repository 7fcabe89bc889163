/** Program of the extraction child when it runs from source; the bundle's is launch.ts. */
import { main } from './reader.ts';

await main();
