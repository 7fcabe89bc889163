/** Flags for BLAKE3's portable code, for tests that compile it: it builds everywhere and can be instrumented. */
export const PORTABLE_BLAKE3: readonly string[] = [
  '-DBLAKE3_NO_SSE2',
  '-DBLAKE3_NO_SSE41',
  '-DBLAKE3_NO_AVX2',
  '-DBLAKE3_NO_AVX512',
  '-DBLAKE3_USE_NEON=0',
];
