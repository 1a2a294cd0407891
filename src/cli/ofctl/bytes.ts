/** Whether two runs of bytes are the same. */
export const compareBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
