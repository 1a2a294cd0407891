/** What a user did wrong: said in one line, without a stack, with exit status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
