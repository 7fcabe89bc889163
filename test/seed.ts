/**
 * Set-up of every test file: generated input is the same in each run, so that a failure on another machine is found again
 * here. `TEST_SEED=random` (or a number) looks further; the seed of a failure is in fast-check's message.
 */
import * as fc from 'fast-check';

const DEFAULT_SEED = 1_618_033;

function chosenSeed(): number {
  const wanted = process.env['TEST_SEED'] ?? '';
  if (wanted === 'random') return Date.now() % 0x7fff_ffff;
  if (wanted !== '' && !/^\d+$/.test(wanted)) {
    throw new Error(`TEST_SEED is '${wanted}': give a whole number, or 'random'`);
  }
  return wanted === '' ? DEFAULT_SEED : Number(wanted);
}

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: chosenSeed() });
