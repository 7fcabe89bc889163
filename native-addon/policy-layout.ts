/** Sizes of the policy maps' entries, the twin of src/linux/sensor-abi.h; the addon refuses other sizes. */

/** Bytes of a path key: components leaf first, each ended by a NUL, zero-padded. */
export const POLICY_PATH_MAX = 256;
export const NET_KEY_BYTES = 20;
export const NET_RULES = 8;
export const NET_RULE_BYTES = 16;
export const EXE_KEY_BYTES = 16;
export const EXE_VERDICT_BYTES = 24;
export const CUT_NET_KEY_BYTES = 24;
export const VERDICT_BYTES = 8;
export const VERDICT_FAIL_CLOSED = 1;
