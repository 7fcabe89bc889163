/** The plain header of an index file, as far as it concerns key and signature. Layout: native-addon/src/dlp/edm_index.h. */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { fromSystemError } from '../errors.ts';

const HEADER_BYTES = 256;
const SIGNED_BYTES = 144;
const SIGNER_AT = 136;
export const SIGNATURE_AT = 144;
const CONTEXT = Buffer.from('sentinel dlp index v1\0');

export interface IndexHeader {
  /** 8 bytes, hex: which key opens it. */
  keyId: string;
  /** 8 bytes, hex: whose signature it is; zeros for none. */
  signerId: string;
  signature: Buffer;
  /** What is signed. */
  signed: Buffer;
  format: 'rows' | 'documents' | 'files';
}

const FORMATS: Readonly<Record<string, IndexHeader['format']>> = {
  SDLPIDX1: 'rows',
  SDLPDOC1: 'documents',
  SDLPLST1: 'files',
};

/** Undefined when the file is none of ours, or too short. */
export function readIndexHeader(path: string): IndexHeader | undefined {
  const bytes = Buffer.alloc(HEADER_BYTES);
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      if (readSync(fd, bytes, 0, HEADER_BYTES, 0) !== HEADER_BYTES) return undefined;
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw fromSystemError(error, 'read the index', path);
  }
  const format = FORMATS[bytes.toString('latin1', 0, 8)];
  if (!format) return undefined;
  return {
    format,
    keyId: bytes.toString('hex', 16, 24),
    signerId: bytes.toString('hex', SIGNER_AT, SIGNER_AT + 8),
    signature: bytes.subarray(SIGNATURE_AT, SIGNATURE_AT + 64),
    signed: Buffer.concat([CONTEXT, bytes.subarray(0, SIGNED_BYTES)]),
  };
}

/** What the signer signs, and what then goes to SIGNER_AT: the first 136 bytes must be final. */
export function signHeader(
  header: Buffer,
  signer: { keyId: string; sign(bytes: Uint8Array): string },
): Buffer {
  const signed = Buffer.alloc(HEADER_BYTES);
  header.copy(signed, 0, 0, SIGNER_AT);
  signed.write(signer.keyId, SIGNER_AT, 8, 'hex');
  const bytes = Buffer.concat([CONTEXT, signed.subarray(0, SIGNED_BYTES)]);
  Buffer.from(signer.sign(bytes), 'base64').copy(signed, SIGNATURE_AT, 0, 64);
  return signed;
}
