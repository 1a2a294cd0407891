/** Single kernels for tests and benches: a module of its own (build/kernels.wasm) that nothing else loads. */

export { flushFlows, putFlow, removeFlow } from './classifier/flows';
export { classify, findInSubtable, visitSubtable } from './classifier/lookup';
export { flowHash5, symHashL4 } from './flow/fivetuple';
export { hashKey, hashKeyScalar, hashPacked, hashPackedScalar } from './flow/hash';
export { equalMasked, equalMaskedScalar, hashMasked, hashMaskedScalar } from './flow/masked';
export { init } from './index';
export {
  checksumUpdate16,
  checksumUpdate32,
  checksumUpdateBytes,
  crc32c,
  crc32cUpdate,
  foldSum,
  onesSum,
  onesSumScalar,
  pseudoSum4,
  pseudoSum6,
} from './packet/checksum';
export { parseAny, parseList, parsePacket } from './packet/parse';
